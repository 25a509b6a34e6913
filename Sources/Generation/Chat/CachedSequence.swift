// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Inference

/// What a model's sequence holds, so that of a prompt only what is new has to be computed.
public struct CachedSequence: Sendable {
  /// The sequence's tokens.
  public private(set) var tokens: [Int32] = []
  /// The sequence's number.
  public let sequence: Int

  /// A sequence that is empty.
  public init(sequence: Int = 0) { self.sequence = sequence }

  /// Tokens of a prompt that the sequence begins with: all but the last at most, whose logits are wanted.
  public func known(of prompt: [Int32]) -> Int { tokens.countInCommon(with: prompt) }

  /// Makes the sequence the beginning of one that was copied.
  ///
  /// - Parameters:
  ///   - tokens: The copied sequence's.
  ///   - known: How many of them are wanted at most.
  package mutating func restore(_ copy: SequenceCopy, of tokens: [Int32], known: Int, in model: Model) {
    self.tokens = Array(tokens.prefix(model.restore(copy, to: sequence, known: known)))
  }

  /// Cuts the sequence back to where a prompt differs from it.
  ///
  /// - Returns: The tokens of the prompt that are still to be computed: at least the last one, whose logits are wanted.
  public mutating func rest(of prompt: [Int32], in model: Model) -> [Int32] {
    let sequence = sequence
    return rest(of: prompt) { model.truncate(sequence, to: $0) }
  }

  /// The same with any way to cut a sequence back: it says how many tokens are left, which may be fewer than it was asked for.
  mutating func rest(of prompt: [Int32], truncate: (_ length: Int) -> Int) -> [Int32] {
    let kept = truncate(known(of: prompt))
    tokens.removeLast(tokens.count - kept)
    return Array(prompt[kept...])
  }

  /// Notes what was computed since: tokens of the prompt, then of the answer, as many of them as the sequence holds.
  public mutating func note(_ added: [Int32], in model: Model) {
    note(added, length: model.length(of: sequence))
  }

  /// Notes that a token was computed.
  public mutating func note(_ token: Int32) { tokens.append(token) }

  /// Empties the sequence.
  public mutating func clear(in model: Model) {
    model.truncate(sequence, to: 0)
    tokens.removeAll(keepingCapacity: true)
  }

  mutating func note(_ added: [Int32], length: Int) { tokens += added.prefix(length - tokens.count) }
}

extension [Int32] {
  /// How many tokens a sequence and a prompt begin with in common: all but the prompt's last at most, whose logits are wanted.
  package func countInCommon(with prompt: [Int32]) -> Int {
    let most = Swift.min(count, prompt.count - 1)
    var index = 0
    while index < most, self[index] == prompt[index] { index += 1 }
    return index
  }
}
