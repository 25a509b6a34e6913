// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF
import TestSupport
import Testing

@testable import Tokenization

struct TokenizerErrorTests {
  private func message(_ metadata: GGUFMetadata) -> String {
    do {
      _ = try Tokenizer(metadata: metadata)
      return ""
    } catch { return error.description }
  }

  @Test("Unknown tokenizers are named, with those that are known") func unknownNames() {
    var metadata = SmallVocabulary.byteLevel(pre: "klingon")
    #expect(message(metadata).hasPrefix("tokenizer.ggml.pre is 'klingon'; supported are: a.x-4.0, afmoe, "))
    metadata["tokenizer.ggml.model"] = .text("rwkv")
    #expect(
      message(metadata).hasPrefix("tokenizer.ggml.model is 'rwkv' (a greedy tokenizer); supported are: llama, gpt2, gemma4"))
    metadata["tokenizer.ggml.model"] = .text("bert")
    #expect(message(metadata).hasPrefix("tokenizer.ggml.model is 'bert' (WordPiece); supported are: "))
    #expect(message(GGUFMetadata()).contains("key tokenizer.ggml.model is absent"))
  }

  @Test("A name from a file stays on one line and does not drive the terminal")
  func escapedNames() {
    var metadata = SmallVocabulary.byteLevel(pre: "x\n\u{1b}[31mred\u{9b}\u{202e}é" + String(repeating: "y", count: 100))
    #expect(
      message(metadata).hasPrefix(#"tokenizer.ggml.pre is 'x\u{a}\u{1b}[31mred\u{9b}\u{202e}éyyy"#)
        && message(metadata).contains("y…';"))
    metadata["tokenizer.ggml.model"] = .text("a\rb")
    #expect(message(metadata).hasPrefix(#"tokenizer.ggml.model is 'a\u{d}b'; "#))
  }

  @Test("A vocabulary that contradicts itself or the embedding is refused with the numbers") func contradictions() throws {
    var metadata = SmallVocabulary.sentencePiece()
    metadata["tokenizer.ggml.scores"] = .array(MetadataArray(floats: [1, 2]))
    #expect(
      message(metadata) == "the vocabulary contradicts itself: tokenizer.ggml.scores has 2 elements, tokenizer.ggml.tokens has 284")
    metadata = SmallVocabulary.sentencePiece()
    metadata["tokenizer.ggml.eos_token_id"] = .uint32(284)
    #expect(message(metadata) == "tokenizer.ggml.eos_token_id is 284, but the vocabulary has tokens 0 to 283")
    metadata["tokenizer.ggml.eos_token_id"] = .uint32(.max)
    #expect(message(metadata) == "")
    metadata["tokenizer.ggml.tokens"] = .array(MetadataArray(strings: []))
    #expect(message(metadata).contains("has 0 elements"))

    let tokenizer = try Tokenizer(metadata: SmallVocabulary.sentencePiece())
    try tokenizer.check(embeddingRows: 284)
    #expect(throws: TokenizerError.embeddingMismatch(tokens: 284, rows: 512)) { try tokenizer.check(embeddingRows: 512) }
  }

  @Test("Damaged vocabularies are refused in one line or work; nothing traps", arguments: [false, true]) func damaged(
    byteLevel: Bool
  ) {
    var random = SplitMix64(seed: byteLevel ? 3 : 4)
    let whole = byteLevel ? SmallVocabulary.byteLevel() : SmallVocabulary.sentencePiece()
    var refused = 0
    let cases = FuzzCases.count(4000)
    for _ in 0..<cases {
      let metadata = Self.mutated(whole, &random)
      do {
        let tokenizer = try Tokenizer(metadata: metadata)
        let text = SmallVocabulary.randomText(&random)
        let tokens = tokenizer.encode(text, addSpecial: true, parseSpecial: true)
        #expect(tokens.allSatisfy { (0..<Int32(tokenizer.count)).contains($0) })
        _ = tokenizer.decode(tokens)
      } catch {
        refused += 1
        #expect(!error.description.contains("\n") && error.description.count > 20)
      }
    }
    #expect((1..<cases).contains(refused))
  }

  /// A copy in which one to three keys are missing, of another type, shorter, or full of other values.
  private static func mutated(_ whole: GGUFMetadata, _ random: inout SplitMix64) -> GGUFMetadata {
    var metadata = GGUFMetadata()
    let victims = Set(
      (0..<Int.random(in: 1...3, using: &random)).compactMap { _ in whole.entries.randomElement(using: &random)?.key })
    for entry in whole.entries {
      guard victims.contains(entry.key) else {
        metadata[entry.key] = entry.value
        continue
      }
      switch (Int.random(in: 0..<6, using: &random), entry.value) {
      case (0, _): break
      case (1, _): metadata[entry.key] = .int64(Int64.random(in: -3...400, using: &random))
      case (_, .array(let array)): metadata[entry.key] = .array(damaged(array, &random))
      default: metadata[entry.key] = entry.value
      }
    }
    return metadata
  }

  private static func damaged(_ array: MetadataArray, _ random: inout SplitMix64) -> MetadataArray {
    if let strings = array.byteStrings.map({ Array($0) }) {
      return MetadataArray(
        byteStrings: strings.map { string in
          switch Int.random(in: 0..<8, using: &random) {
          case 0: []
          case 1: strings.randomElement(using: &random).map { Array($0) } ?? []
          case 2: string.map { $0 ^ UInt8.random(in: 0...255, using: &random) }
          default: Array(string)
          }
        })
    }
    if let floats = array.floats {
      let values: [Float] = [.nan, .infinity, -.infinity, -0.0, 0, 1e38, -1]
      return MetadataArray(floats: floats.map { Bool.random(using: &random) ? values.randomElement(using: &random) ?? 0 : $0 })
    }
    let count = array.count - (Bool.random(using: &random) ? 1 : 0)
    return MetadataArray(int32s: (0..<count).map { _ in Int32.random(in: -2...9, using: &random) })
  }
}
