// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// What a model is to hold at most, and how it computes.
public struct ModelOptions: Sendable {
  /// Tokens that a sequence may have; nil: as many as the model was trained on, but no more than 4096.
  public var contextLength: Int?
  /// Tokens computed together when a prompt is read.
  public var batchSize = 512
  /// Sequences kept at the same time.
  public var sequenceCount = 1
  /// Positions of one step whose logits can be asked for, at least as many as there are sequences; nil: as many as 64 MiB hold.
  public var logitRows: Int?
  /// How keys and values are kept; models whose heads do not allow 8 bits keep F16.
  public var cacheType = CacheType.f16
  /// In models some of whose layers keep a state that cannot be cut back: tokens from one copy of it to the next; 0: none are made.
  public var checkpointInterval = 256
  /// Copies kept of each sequence's states; the oldest makes room for the next.
  public var checkpointCount = 8
  /// In such models: tokens at the end of a sequence that can be taken back at once; a copy of the states is kept of before each.
  public var tentativeCount = 0
  /// Whether the model's prediction layer is computed, too, so that the model can foresee what it will say.
  public var predicts = false
  /// The instruction set: a kernel table's name, or nil for the best this processor runs.
  public var kernels: String?

  /// Everything chosen by the model and the machine.
  public init() {}
}
