// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Synchronization

/// What a slot is doing, as others may see it: written by the model's thread, read by any.
public final class SlotStatus: Sendable {
  /// What a slot does.
  public enum Phase: Int, Sendable {
    /// Nothing.
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
  /// Tokens of the prompt that it has now, or had last.
  public var promptTokens: Int { prompt.load(ordering: .relaxed) }
  /// How many of them were known already.
  public var cachedTokens: Int { cached.load(ordering: .relaxed) }
  /// How many of them are read.
  public var readTokens: Int { read.load(ordering: .relaxed) }
  /// Tokens of the answer so far.
  public var writtenTokens: Int { written.load(ordering: .relaxed) }

  func set(_ phase: Phase) { phaseValue.store(phase.rawValue, ordering: .relaxed) }
}
