// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import TestSupport
import Testing

@testable import Tokenization

struct SpecialTokensTests {
  private func special(_ texts: [(String, TokenKind)]) throws -> SpecialTokens {
    var strings = TokenStrings()
    for (text, _) in texts { strings.append(text.utf8) }
    return try SpecialTokens(strings, texts.map(\.1))
  }

  private func parts(_ special: SpecialTokens, _ text: String, parsingControl: Bool = true) -> [SpecialTokens.Part] {
    var parts: [SpecialTokens.Part] = []
    let bytes = Array(text.utf8)
    special.split(bytes.span, parsingControl: parsingControl) { parts.append($0) }
    return parts
  }

  @Test("At each position the longest token wins, from left to right") func longest() throws {
    let special = try special([
      ("<a>", .control), ("<a><b>", .control), ("x", .normal), ("b>", .userDefined), ("", .control), ("<a>", .userDefined),
    ])
    #expect(parts(special, "x<a><b><a>y") == [.text(0..<1), .token(1), .token(0), .text(10..<11)])
    #expect(parts(special, "<a><b>", parsingControl: false) == [.text(0..<4), .token(3)])
    #expect(parts(special, "") == [] && parts(special, "b") == [.text(0..<1)])
    #expect(
      special.contains("<a><b>") && special.contains("b>") && !special.contains("<a") && !special.contains("x")
        && !special.contains(""))
  }

  /// Returns random ascending ranges of a text.
  private func ranges(of text: [UInt8], _ random: inout SplitMix64) -> [Range<Int>] {
    var (ranges, begin): ([Range<Int>], Int) = ([], 0)
    while begin < text.count {
      let end = Int.random(in: begin + 1...text.count, using: &random)
      if Bool.random(using: &random) { ranges.append(begin..<end) }
      begin = end
    }
    return ranges
  }

  @Test("Control tokens and marks are found only within trusted ranges, other user-defined tokens everywhere") func trusted()
    throws
  {
    var random = SplitMix64(seed: 37)
    func word(_ most: Int) -> String {
      String((0..<Int.random(in: 1...most, using: &random)).map { _ in "ab".randomElement(using: &random) ?? "a" })
    }
    for _ in 0..<FuzzCases.count(2000) {
      let texts = Set((0..<6).map { _ in word(5) }).sorted()
      let tokens = texts.map { ($0, Bool.random(using: &random) ? TokenKind.control : .userDefined) }
      let special = try special(tokens)
      let text = Array(word(30).utf8)
      let trusted = ranges(of: text, &random)
      func isTrusted(_ range: Range<Int>) -> Bool {
        trusted.contains { $0.lowerBound <= range.lowerBound && range.upperBound <= $0.upperBound }
      }
      // The expected result, found by trying every token at every position.
      var (wanted, begin, index): ([SpecialTokens.Part], Int, Int) = ([], 0, 0)
      while index < text.count {
        let found = tokens.indices.filter { id in
          let word = Array(tokens[id].0.utf8)
          return text[index...].starts(with: word) && (tokens[id].1 == .userDefined || isTrusted(index..<index + word.count))
        }.max { tokens[$0].0.utf8.count < tokens[$1].0.utf8.count }
        guard let found else {
          index += 1
          continue
        }
        if begin < index { wanted.append(.text(begin..<index)) }
        wanted.append(.token(Int32(found)))
        index += tokens[found].0.utf8.count
        begin = index
      }
      if begin < text.count { wanted.append(.text(begin..<text.count)) }
      var parts: [SpecialTokens.Part] = []
      special.split(text.span, trusted: trusted, marks: []) { parts.append($0) }
      #expect(parts == wanted, "\(tokens) in \(String(decoding: text, as: UTF8.self)), \(trusted)")
      // If every user-defined token is a mark, nothing is special outside trusted ranges.
      var none: [SpecialTokens.Part] = []
      let marks = Set(tokens.indices.map { Int32($0) })
      special.split(text.span, trusted: [], marks: marks) { none.append($0) }
      #expect(none == [.text(0..<text.count)])
    }
  }

  @Test("Tokens with equal beginnings or ends take no more time than others", .timeLimit(.minutes(5))) func alike() throws {
    let count = 3000
    let text = String(repeating: "a", count: 60_000)
    for tokens in [
      (0..<count).map { String(repeating: "a", count: $0) + "z" }, (0..<count).map { "z" + String(repeating: "a", count: $0) },
    ] {
      let special = try special(tokens.map { ($0, .control) })
      #expect(parts(special, text) == [.text(0..<60_000)])
      #expect(parts(special, text + tokens[count - 1]).contains(.token(Int32(count - 1))))
    }
  }

  @Test("Special tokens longer than any model's are refused") func tooLong() throws {
    #expect(throws: TokenizerError.specialTokensTooLong(limit: SpecialTokens.nodeLimit)) {
      _ = try self.special([(String(repeating: "x", count: SpecialTokens.nodeLimit), .control)])
    }
  }
}
