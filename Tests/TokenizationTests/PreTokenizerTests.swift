// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Testing

@testable import Tokenization

struct PreTokenizerTests {
  private func words(_ name: String, _ string: String) throws -> [String] {
    let rules = try PreTokenizer(named: name)
    let bytes = Array(string.utf8)
    var result: [String] = []
    let text = ScalarText(bytes.span)
    rules.split(text) { range in result.append(String(decoding: bytes[text.byteRange(range)], as: UTF8.self)) }
    return result
  }

  @Test(
    "Texts are split into the words that the model's expression gives",
    arguments: [
      ("gpt-2", "I've 12345  don'T\n\n x", ["I", "'ve", " 12345", " ", " don", "'", "T", "\n\n", " x"]),
      ("llama-bpe", "I'VE 12345  (x)\n\n y ", ["I", "'VE", " ", "123", "45", " ", " (", "x", ")\n\n", " y", " "]),
      ("qwen2", "a12\t\tb", ["a", "1", "2", "\t", "\tb"]), ("glm4", "1234 \r\n z", ["123", "4", " \r\n", " z"]),
      ("gpt-4o", "HTTPServer's école/\n ABC", ["HTTPServer's", " école", "/\n", " ABC"]),
      ("gpt-4o", "helloWorld ÉCOLEécole", ["hello", "World", " ÉCOLEécole"]),
      // Combining marks belong to their word, and case changes split only where there is case.
      ("minimax-m2", "हिन्दी日本 e\u{301}X", ["हिन्दी日本", " e\u{301}", "X"]),
      ("kimi-k2", "日本語カナ abc々x'll", ["日本語", "カナ", " abc", "々", "x'll"]),
      ("deepseek-v3", "x1234日本カナ (abc) don't", ["x", "123", "4", "日本カナ", " (", "abc", ")", " don", "'t"]),
      ("deepseek-llm", "abc 123 日本x!?\nγ", ["abc", " ", "123", " ", "日本", "x", "!?", "\n", "γ"]),
      ("default", "abc12345 x+y!", ["abc", "123", "45", " x", "+", "y", "!"]),
      ("tekken", "Hello12'll", ["Hello", "1", "2", "'ll"]),
    ]) func splits(name: String, text: String, expected: [String]) throws
  { #expect(try words(name, text) == expected) }

  @Test(
    "Random texts split into the words that the model's regular expression gives", arguments: GoldenSplits.lengths.keys.sorted())
  func golden(name: String) throws {
    let expected = try #require(GoldenSplits.lengths[name])
    try #require(expected.count == GoldenSplits.texts.count)
    for (text, lengths) in zip(GoldenSplits.texts, expected) {
      let ours = try words(name, text).map { String($0.unicodeScalars.count) }.joined(separator: " ")
      #expect(ours == lengths, "\(text.debugDescription)")
    }
  }

  /// Pre-tokenizers that look for the end of a run at each match, the run's character, and what follows it.
  static let longRuns: [(String, Character, String)] = [
    ("afmoe", "7", ""), ("tiny_aya", "7", ""), ("superbpe", "7", ""),
    // The word goes on after the digits, which keeps them from matching at every place.
    ("tiny_aya", "7", "a"),
    // The white space is not at the text's end, which keeps it from matching at every place.
    ("deepseek-llm", " ", "."),
  ]

  @Test("A long run of digits or white space takes time in proportion to its length", .timeLimit(.minutes(5)), arguments: longRuns)
  func longRun(name: String, character: Character, end: String) throws {
    let text = String(repeating: character, count: 400_000) + end
    let whole = try words(name, text).joined() == text
    #expect(whole)
  }

  @Test("A character's classes match its general category") func categories() throws {
    // All characters where scripts are dense, and a sample beyond.
    for value in Array(0..<0x3100) + Array(stride(from: 0x3100, to: 0x110000, by: 61)) {
      guard let scalar = Unicode.Scalar(UInt32(value)) else { continue }
      let classes = CharacterClass.of(scalar.value)
      let category = String(describing: scalar.properties.generalCategory)
      let agrees =
        classes.contains(.letter) == category.hasSuffix("Letter") && classes.contains(.number) == category.hasSuffix("Number")
        && classes.contains(.mark) == category.hasSuffix("Mark")
        && classes.contains(.punctuation) == category.hasSuffix("Punctuation")
        && classes.contains(.symbol) == category.hasSuffix("Symbol") && classes.contains(.space) == scalar.properties.isWhitespace
      if !agrees { Issue.record("U+\(String(value, radix: 16)), \(category): classes \(classes.rawValue)") }
    }
    for han in "一龥々〇⺀𠀀豈" { #expect(CharacterClass.of(try #require(han.unicodeScalars.first).value).contains(.han)) }
    for other in "カあ한ー。a" { #expect(!CharacterClass.of(try #require(other.unicodeScalars.first).value).contains(.han)) }
  }
}
