// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// How much a model is to hold, and how it computes.
public struct ModelOptions: Sendable {
  /// The largest number of tokens in a sequence; 0: as many as the model was trained on; nil: the same, but at most 4096.
  public var contextLength: Int?
  /// The largest number of tokens computed together when a prompt is read.
  public var batchSize = 512
  /// The number of sequences that are kept at the same time.
  public var sequenceCount = 1
  /// The number of positions in one step whose logits can be asked for, but at least `sequenceCount`; nil: as many as fit in 64
  /// MiB.
  public var logitRows: Int?
  /// The format of keys and values. Models whose heads do not allow 8 bits keep F16.
  public var cacheType = CacheType.f16
  /// The number of tokens from one checkpoint of a sequence's states to the next, in models with states that cannot be cut back; 0:
  /// none.
  public var checkpointInterval = 256
  /// The number of checkpoints kept for each sequence; the oldest is overwritten by the next.
  public var checkpointCount = 8
  /// The number of tokens at the end of a sequence that can be taken back at once, in models with states; each needs a copy of the
  /// states.
  public var tentativeCount = 0
  /// Whether the model's prediction layer is computed, too, so that the model can draft for itself.
  public var predicts = false
  /// The name of the kernels' instruction set; nil: the best that this processor runs.
  public var kernels: String?

  /// Makes options with defaults that depend only on the model and the machine.
  public init() {}
}
