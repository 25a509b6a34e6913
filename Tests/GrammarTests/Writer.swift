// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Grammar
import TestSupport

/// A vocabulary like a model's, but small: all bytes, pieces of JSON, words, and multi-byte characters.
enum SmallVocabulary {
  static let tokens: [[UInt8]] = {
    var tokens: [[UInt8]] = [[]]
    tokens += (UInt8.min...UInt8.max).map { [$0] }
    let pieces = [
      "{\"", "\":", "\": \"", "\", \"", "\"}", "\"]", "},", "}, {", "[]", "{}", "[{", "}]", "true", "false", "null", ", ", ": ",
      "\n  ", "  ", "12",
      "2024", "-1", "0.5", ".0", "e+1", "\\n", "\\\"", "\\u00", "name", "id", "type", "the", "é", "ü", "東京", "🙂", "🙂🙂", "ab", "abc",
      "abcd", "xyz",
      "://", "@", "-0", "T1", ":00", "Z\"", "\",\"", "a\":", "kind", "circle", "square", "left", "right", "value", "\u{7F}",
      "\u{2028}",
    ]
    tokens += pieces.map { Array($0.utf8) }
    return tokens
  }()

  static let trie = TokenTrie(vocabulary: tokens)
}

/// Writes as a model with random weights would: any token that the mask allows.
struct RandomWriter {
  var random: SplitMix64
  let matcher: GrammarMatcher

  init(_ grammar: Grammar, seed: UInt64) {
    random = SplitMix64(seed: seed)
    matcher = GrammarMatcher(grammar, trie: SmallVocabulary.trie)
  }

  /// Returns a text of the grammar; nil if none was complete after many tokens.
  mutating func text() -> [UInt8]? {
    matcher.reset()
    var text: [UInt8] = []
    for step in 0..<4000 {
      if matcher.mustEnd { return text }
      let isLong = step > 60
      if matcher.isComplete, isLong || Int.random(in: 0..<3, using: &random) == 0 { return text }
      let mask = matcher.allowedTokens()
      var allowed = SmallVocabulary.tokens.indices.filter { mask[$0] }
      // Once the text is long, closing characters come first, and within a string those that the samples' patterns need.
      if isLong {
        let isInString = "ab.".utf8.contains { mask[Int($0) + 1] }
        let awaited = "ab.comrg".utf8.filter { mask[Int($0) + 1] }.randomElement(using: &random)
        let closing = (isInString ? "\"" : "}])\"").utf8.first { mask[Int($0) + 1] }
        if let byte = closing ?? awaited { allowed = [Int(byte) + 1] }
      }
      guard let token = allowed.randomElement(using: &random), matcher.accept(token: token) else { return nil }
      text += SmallVocabulary.tokens[token]
    }
    return nil
  }
}
