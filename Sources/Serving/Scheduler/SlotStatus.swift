// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Synchronization

/// What a slot is doing. The model's thread writes it, and any thread may read it.
public final class SlotStatus: Sendable {
  /// What a slot can do.
  public enum Phase: Int, Sendable {
    /// It is free.
    case idle
    /// It reads a prompt.
    case reading
    /// It writes an answer.
    case writing
  }

  private let phaseValue = Atomic<Int>(0)
  let prompt = Atomic<Int>(0)
  let cached = Atomic<Int>(0)
  let read = Atomic<Int>(0)
  let written = Atomic<Int>(0)

  /// What it is doing.
  public var phase: Phase { Phase(rawValue: phaseValue.load(ordering: .relaxed)) ?? .idle }
  /// The number of tokens in its current prompt, or the last one.
  public var promptTokens: Int { prompt.load(ordering: .relaxed) }
  /// The number of these that were already known.
  public var cachedTokens: Int { cached.load(ordering: .relaxed) }
  /// The number of these that have been read.
  public var readTokens: Int { read.load(ordering: .relaxed) }
  /// The number of tokens of the answer so far.
  public var writtenTokens: Int { written.load(ordering: .relaxed) }

  func set(_ phase: Phase) { phaseValue.store(phase.rawValue, ordering: .relaxed) }
}
