// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Grammar
import Tokenization

/// Keeps an answer within a grammar: before each token it says which tokens may come, and afterwards it is told which one came.
///
/// The matcher caches masks, so that most tokens of an answer allocate no memory.
public final class AnswerConstraint {
  private let matcher: GrammarMatcher
  private let endTokens: [Int]
  /// The logits of the end tokens while a mask is applied.
  private var endLogits: [Float]

  /// Seconds spent on masks since `reset`.
  private(set) var seconds = 0.0

  /// A vocabulary prepared for any number of grammars.
  public struct Vocabulary: Sendable {
    fileprivate let trie: TokenTrie
    fileprivate let endTokens: [Int]

    /// Prepares the tokens that have a text.
    ///
    /// Control tokens are marked, so that only a `Language` that contains them can choose them. Tokens that end an answer are left
    /// out.
    ///
    /// - Complexity: O(*n* log *n*) in the bytes of all tokens.
    public init(_ tokenizer: Tokenizer) {
      let tokens = Int32(0)..<Int32(tokenizer.count)
      trie = TokenTrie(vocabulary: tokens.map { Self.bytes(of: $0, tokenizer) })
      endTokens = tokens.filter(tokenizer.isEndOfGeneration).map { Int($0) }
    }

    private static func bytes(of token: Int32, _ tokenizer: Tokenizer) -> [UInt8] {
      if tokenizer.isEndOfGeneration(token) { return [] }
      let printed = tokenizer.bytes(of: token)
      // This byte occurs in no text. A token that contained it would look like a control token.
      if printed.contains(Grammar.controlByte) { return [] }
      if !printed.isEmpty { return Array(printed) }
      let shown = tokenizer.bytes(of: token, showsControl: true)
      return shown.isEmpty ? [] : [Grammar.controlByte] + shown
    }
  }

  /// Makes a constraint at the beginning of an answer.
  public init(_ grammar: Grammar, _ vocabulary: Vocabulary) {
    matcher = GrammarMatcher(grammar, trie: vocabulary.trie)
    endTokens = vocabulary.endTokens
    endLogits = endTokens.map { _ in 0 }
  }

  /// Returns to the beginning of an answer.
  public func reset() {
    matcher.reset()
    seconds = 0
  }

  /// Whether the answer so far is complete by the grammar.
  public var isComplete: Bool { matcher.isComplete }

  /// Whether the answer is complete and nothing can be added.
  package var mustEnd: Bool { matcher.mustEnd }

  /// Adds the token that was chosen; returns false if the grammar does not allow it, or if it ends the answer.
  @discardableResult
  package func accept(_ token: Int32) -> Bool { matcher.accept(token: Int(token)) }

  /// Sets the logits of all tokens that may not come next to minus infinity. Tokens that end an answer are kept only if the answer
  /// is complete.
  func apply(to logits: inout [Float]) {
    let start = ContinuousClock.now
    let isComplete = matcher.isComplete
    for (index, token) in endTokens.enumerated() { endLogits[index] = isComplete ? logits[token] : -.infinity }
    let mask = matcher.allowedTokens()
    for (index, word) in mask.words.enumerated() where word != .max {
      let (begin, end) = (index * 64, min(index * 64 + 64, logits.count))
      if word == 0 {
        for token in begin..<end { logits[token] = -.infinity }
      } else {
        for token in begin..<end where word >> UInt64(token - begin) & 1 == 0 { logits[token] = -.infinity }
      }
    }
    for (index, token) in endTokens.enumerated() { logits[token] = endLogits[index] }
    seconds += (ContinuousClock.now - start) / .seconds(1)
  }
}
