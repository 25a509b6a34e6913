// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import Grammar
import JSON
import TestSupport
import Testing

/// The cost of a grammar with the vocabulary of a large model. A decode step of a model for which a grammar makes sense takes at least 20
/// ms.
@Suite("The cost of masks with 150 000 tokens", .serialized)
struct MaskCostTests {
  /// The seconds of a decode step of a model with about a billion active parameters on two cores.
  private static let stepSeconds = 0.020

  /// All bytes, and random words of letters, digits and JSON's punctuation, as long as those of real vocabularies.
  private static let vocabulary: [[UInt8]] = {
    var random = TestSupport.SplitMix64(seed: 5)
    var tokens = (UInt8.min...UInt8.max).map { [$0] }
    let marks = ["\"", "\",", "\":", "{\"", "}", "},", "[", "]", ",", ": ", "\n  ", " ", "true", "null", "0.", "-"].map {
      Array($0.utf8)
    }
    var seen = Set(tokens)
    while tokens.count < 150_000 {
      var token: [UInt8] = random.next() % 3 == 0 ? [0x20] : []
      let kind = random.next() % 20
      for _ in 0...random.next() % 8 {
        switch kind {
        case 0: token.append(UInt8(0x30 + random.next() % 10))
        case 1: token += marks[Int(random.next() % UInt64(marks.count))]
        case 2: token += Array(String(Unicode.Scalar(UInt32(0x4E00 + random.next() % 4000)) ?? "x").utf8)
        default: token.append(UInt8(0x61 + random.next() % 26))
        }
      }
      if seen.insert(token).inserted { tokens.append(token) }
    }
    return tokens
  }()

  @Test("A mask takes less than 5 % of a decode step of 20 ms", arguments: SchemaSamples.all.suffix(8) + [#"{"type": "object"}"#])
  func cost(schema: String) throws {
    let trie = TokenTrie(vocabulary: Self.vocabulary)
    let grammar = try Grammar(schema: JSONValue(parsing: schema))
    let matcher = GrammarMatcher(grammar, trie: trie)
    var random = TestSupport.SplitMix64(seed: 9)
    var seconds: [Double] = []
    let clock = ContinuousClock()
    while seconds.count < 1500 {
      if matcher.mustEnd { matcher.reset() }
      var mask: TokenMask?
      let time = clock.measure { mask = matcher.allowedTokens() }
      seconds.append(time / .seconds(1))
      // Any allowed token: the first one from the middle of the vocabulary on.
      guard let mask, mask.count > 0 else {
        matcher.reset()
        continue
      }
      var token = Int(random.next() % 150_000)
      while !mask[token] { token = (token + 1) % 150_000 }
      #expect(matcher.accept(token: token))
    }
    let sorted = seconds.sorted()
    let (median, mean) = (sorted[sorted.count / 2], seconds.reduce(0, +) / Double(seconds.count))
    print(
      "mask, 150 000 tokens: median \(1e6 * median) µs, mean \(1e6 * mean) µs, 99 % \(1e6 * sorted[sorted.count * 99 / 100]) µs: \(schema.prefix(60))"
    )
    #expect(median < 0.05 * Self.stepSeconds && mean < 0.05 * Self.stepSeconds)
  }
}
