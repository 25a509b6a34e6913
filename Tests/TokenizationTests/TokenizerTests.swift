// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF
import TestSupport
import Testing

@testable import Tokenization

struct TokenizerTests {
  private func pieces(_ tokenizer: Tokenizer, _ text: String, parseSpecial: Bool = false) -> [String] {
    tokenizer.encode(text, addSpecial: false, parseSpecial: parseSpecial).map {
      String(decoding: tokenizer.bytes(of: $0, showsControl: true), as: UTF8.self)
    }
  }

  @Test("A SentencePiece-style vocabulary joins by score and falls back to bytes") func sentencePiece() throws {
    let tokenizer = try Tokenizer(metadata: SmallVocabulary.sentencePiece())
    // The highest score comes first: "lo" (-13) before "ll" (-15), so "hello" (-17) is never reached.
    #expect(pieces(tokenizer, "hello world") == ["he", "l", "lo", " wor", "ld"])
    #expect(pieces(tokenizer, "日é") == ["日", "é"])
    let bytes = tokenizer.encode("ü", addSpecial: false, parseSpecial: false)
    #expect(bytes == [6 + 0xc3, 6 + 0xbc])
    #expect(tokenizer.decode(bytes) == "ü")
  }

  @Test("A space is added before a text, and removed when the text is decoded") func spacePrefix() throws {
    let tokenizer = try Tokenizer(metadata: SmallVocabulary.sentencePiece(spacePrefix: true))
    #expect(pieces(tokenizer, "a") == [" ", "a"])
    #expect(pieces(tokenizer, "") == [])
    #expect(tokenizer.decode(tokenizer.encode(" a b", addSpecial: true, parseSpecial: false)) == " a b")
    // A reply continues a text, so its first space belongs to it.
    var stream = TokenStream(tokenizer)
    #expect(stream.append(6 + 256) == " ")
  }

  @Test("Control tokens are parsed only on request, user-defined ones always") func specialTokens() throws {
    let tokenizer = try Tokenizer(metadata: SmallVocabulary.sentencePiece())
    #expect(pieces(tokenizer, "a<end_of_turn>\n\n<b>", parseSpecial: true) == ["a", "<end_of_turn>", "\n\n", "<b>"])
    #expect(pieces(tokenizer, "<s>a\n\n") == ["<", "s", ">", "a", "\n\n"])
    #expect(tokenizer.encode("a", addSpecial: true, parseSpecial: false) == [1, 6 + 256 + 1])
    #expect(tokenizer.isEndOfGeneration(3) && tokenizer.isEndOfGeneration(2) && !tokenizer.isEndOfGeneration(5))
    #expect(tokenizer.bytes(of: 3).isEmpty && tokenizer.bytes(of: -1).isEmpty && tokenizer.bytes(of: 1 << 20).isEmpty)
  }

  @Test("A byte-level vocabulary joins by rank, within words") func byteLevel() throws {
    let tokenizer = try Tokenizer(metadata: SmallVocabulary.byteLevel())
    #expect(pieces(tokenizer, "hello world") == ["hello", " world"])
    #expect(pieces(tokenizer, "hello123é\n\n") == ["hello", "123", "é", "\n\n"])
    #expect(pieces(tokenizer, "1234") == ["123", "4"])
    #expect(pieces(tokenizer, "<|im_end|>hello", parseSpecial: true) == ["<|im_end|>", "hello"])
    #expect(tokenizer.encode("hello", addSpecial: true, parseSpecial: true).count == 2)
  }

  @Test("Characters divided over tokens are decoded whole, and broken ones as U+FFFD") func streaming() throws {
    let tokenizer = try Tokenizer(metadata: SmallVocabulary.byteLevel())
    func outputs(_ bytes: [UInt8]) -> [String] {
      var stream = TokenStream(tokenizer)
      return bytes.map { stream.append(Int32($0)) } + [stream.finish()]
    }
    #expect(outputs(Array("a🦙b".utf8)) == ["a", "", "", "", "🦙", "b", ""])
    #expect(outputs([0xe2, 0x41, 0xf0, 0x9f]) == ["", "\u{fffd}A", "", "", "\u{fffd}"])
    // Neither an overlong form nor a surrogate can become a character.
    #expect(outputs([0xe0, 0x80]) == ["", "\u{fffd}\u{fffd}", ""])
    #expect(outputs([0xed, 0xa0, 0x80]) == ["", "\u{fffd}\u{fffd}", "\u{fffd}", ""])
  }

  @Test(
    "Random texts are restored from their tokens",
    arguments: ["llama"]
      + PreTokenizer.supportedNames.filter { !["gemma4", "granite-embed-multi-311m", "sarvam-moe"].contains($0) }) func roundTrip(
      name: String
    ) throws
  {
    let metadata = name == "llama" ? SmallVocabulary.sentencePiece() : SmallVocabulary.byteLevel(pre: name)
    let tokenizer = try Tokenizer(metadata: metadata)
    let composes = try name != "llama" && PreTokenizer(named: name).composes
    var random = SplitMix64(seed: 7)
    for _ in 0..<60 {
      let text = SmallVocabulary.randomText(&random)
      let tokens = tokenizer.encode(text, addSpecial: false, parseSpecial: Bool.random(using: &random))
      let expected =
        composes ? (CanonicalComposition.composed(Array(text.utf8).span).map { String(decoding: $0, as: UTF8.self) } ?? text) : text
      #expect(tokenizer.decode(tokens, showsControl: true).unicodeScalars.elementsEqual(expected.unicodeScalars))
    }
  }

  @Test("Arbitrary bytes are restored from their tokens", arguments: ["llama", "gpt-4o", "deepseek-v3", "default", "kimi-k2"])
  func arbitraryBytes(name: String) throws {
    let metadata = name == "llama" ? SmallVocabulary.sentencePiece() : SmallVocabulary.byteLevel(pre: name)
    let tokenizer = try Tokenizer(metadata: metadata)
    var random = SplitMix64(seed: 11)
    for _ in 0..<100 {
      let bytes = (0..<Int.random(in: 0...60, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
      let tokens = tokenizer.encode(bytes: bytes, addSpecial: false, parseSpecial: true)
      #expect(tokens.flatMap { tokenizer.bytes(of: $0, showsControl: true) } == bytes)
    }
  }
}
