// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Inference

/// The tokens in a model's sequence, so that only the new part of a prompt has to be computed.
public struct CachedSequence: Sendable {
  /// The tokens in the sequence.
  public private(set) var tokens: [Int32] = []
  /// The number of the sequence.
  public let sequence: Int

  /// Makes the cache of an empty sequence.
  public init(sequence: Int = 0) { self.sequence = sequence }

  /// Returns how many of a prompt's first tokens the sequence already has. The last one never counts, because its logits are
  /// wanted.
  public func known(of prompt: [Int32]) -> Int { tokens.countInCommon(with: prompt) }

  /// Replaces the content of the sequence by a copy, or by its beginning.
  ///
  /// - Parameters:
  ///   - tokens: The tokens of the copy.
  ///   - known: The largest number of them to restore.
  package mutating func restore(_ copy: SequenceCopy, of tokens: [Int32], known: Int, in model: Model) {
    self.tokens = Array(tokens.prefix(model.restore(copy, to: sequence, known: known)))
  }

  /// Cuts the sequence back to where a prompt differs from it.
  ///
  /// - Returns: The tokens of the prompt that must still be computed: at least the last one, whose logits are wanted.
  public mutating func rest(of prompt: [Int32], in model: Model) -> [Int32] {
    let sequence = sequence
    return rest(of: prompt) { model.truncate(sequence, to: $0) }
  }

  /// Does the same with any function that cuts the sequence back. It returns how many tokens are left, possibly fewer than
  /// requested.
  mutating func rest(of prompt: [Int32], truncate: (_ length: Int) -> Int) -> [Int32] {
    let kept = truncate(known(of: prompt))
    tokens.removeLast(tokens.count - kept)
    return Array(prompt[kept...])
  }

  /// Notes tokens that were computed since then: those of the prompt, then of the answer, but only as many as the sequence has.
  public mutating func note(_ added: [Int32], in model: Model) {
    note(added, length: model.length(of: sequence))
  }

  /// Notes a token that was computed.
  public mutating func note(_ token: Int32) { tokens.append(token) }

  /// Empties the sequence.
  public mutating func clear(in model: Model) {
    model.truncate(sequence, to: 0)
    tokens.removeAll(keepingCapacity: true)
  }

  mutating func note(_ added: [Int32], length: Int) { tokens += added.prefix(length - tokens.count) }
}

extension [Int32] {
  /// Returns how many tokens a sequence and a prompt have in common at the beginning. The prompt's last token never counts, because
  /// its logits are wanted.
  package func countInCommon(with prompt: [Int32]) -> Int {
    let most = Swift.min(count, prompt.count - 1)
    var index = 0
    while index < most, self[index] == prompt[index] { index += 1 }
    return index
  }
}
