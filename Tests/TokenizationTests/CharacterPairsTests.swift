// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import TestSupport
import Testing

@testable import Tokenization

struct CharacterPairsTests {
  private func pieces(_ text: String) throws -> [String] {
    let tokenizer = try Tokenizer(metadata: SmallVocabulary.characterPairs())
    return tokenizer.encode(text, addSpecial: false, parseSpecial: false).map {
      String(decoding: tokenizer.bytes(of: $0, showsControl: true), as: UTF8.self)
    }
  }

  @Test("Characters are joined by rank across words, spaces are U+2581, and line ends are separate") func joins() throws {
    #expect(try pieces("hello world") == ["hello", " wo", "r", "l", "d"])
    #expect(try pieces("a  b\n\nhe\n") == ["a", "  ", "b", "\n\n", "he", "\n"])
    #expect(try pieces("\n\n\n") == ["\n", "\n", "\n"])
  }

  @Test("A character without a token becomes its bytes, which are decoded back to it") func bytes() throws {
    let tokenizer = try Tokenizer(metadata: SmallVocabulary.characterPairs())
    #expect(tokenizer.encode("é日", addSpecial: true, parseSpecial: false) == [Int32(tokenizer.count - 2), 266, 0xe6, 0x97, 0xa5])
    #expect(tokenizer.encode(bytes: [0xff, 0x61], addSpecial: false, parseSpecial: false) == [0xff, 257])
    var random = SplitMix64(seed: 5)
    for _ in 0..<300 {
      let text = SmallVocabulary.randomText(&random)
      let tokens = tokenizer.encode(text, addSpecial: false, parseSpecial: true)
      // U+2581 is decoded as a space, as in SentencePiece's vocabularies.
      #expect(
        tokenizer.decode(tokens, showsControl: true).unicodeScalars.elementsEqual(
          text.replacing("\u{2581}", with: " ").unicodeScalars))
    }
  }
}
