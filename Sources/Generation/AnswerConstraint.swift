// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Grammar
import Tokenization

/// Keeps an answer within a grammar: it says before each token which ones may come, and is told which one came.
///
/// Masks are kept by the matcher, so that most tokens of an answer allocate nothing.
public final class AnswerConstraint {
  private let matcher: GrammarMatcher
  private let endTokens: [Int]
  /// The logits of the end tokens while a mask is applied.
  private var endLogits: [Float]

  /// Seconds that masks have taken since `reset`.
  private(set) var seconds = 0.0

  /// A vocabulary prepared for any number of grammars.
  public struct Vocabulary: Sendable {
    fileprivate let trie: TokenTrie
    fileprivate let endTokens: [Int]

    /// Takes the tokens that have a text. Control tokens are marked, so that only a `Language` that has them can choose them; those
    /// that end an answer are not part of it.
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
      // A byte that no text has would pass for the one in front of control tokens.
      if printed.contains(Grammar.controlByte) { return [] }
      if !printed.isEmpty { return Array(printed) }
      let shown = tokenizer.bytes(of: token, showsControl: true)
      return shown.isEmpty ? [] : [Grammar.controlByte] + shown
    }
  }

  /// A constraint at the beginning of an answer.
  public init(_ grammar: Grammar, _ vocabulary: Vocabulary) {
    matcher = GrammarMatcher(grammar, trie: vocabulary.trie)
    endTokens = vocabulary.endTokens
    endLogits = endTokens.map { _ in 0 }
  }

  /// Goes back to the beginning of an answer.
  public func reset() {
    matcher.reset()
    seconds = 0
  }

  /// Whether the answer so far is whole.
  public var isComplete: Bool { matcher.isComplete }

  /// Whether the answer is whole and nothing can be added.
  package var mustEnd: Bool { matcher.mustEnd }

  /// Takes the token that was chosen; false if it may not come, or ends the answer.
  @discardableResult
  package func accept(_ token: Int32) -> Bool { matcher.accept(token: Int(token)) }

  /// Sets the logits of all tokens to minus infinity that may not come next. A token that ends an answer may where the answer is whole.
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
