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

  @Test("Unknown tokenizers are named, together with the known ones") func unknownNames() {
    var metadata = SmallVocabulary.byteLevel(pre: "klingon")
    #expect(message(metadata).hasPrefix("tokenizer.ggml.pre is 'klingon'; supported: a.x-4.0, afmoe, "))
    metadata["tokenizer.ggml.model"] = .text("rwkv")
    #expect(
      message(metadata).hasPrefix("tokenizer.ggml.model is 'rwkv' (a greedy tokenizer); supported: llama, gpt2, gemma4"))
    metadata["tokenizer.ggml.model"] = .text("bert")
    #expect(message(metadata).hasPrefix("tokenizer.ggml.model is 'bert' (WordPiece); supported: "))
    #expect(message(GGUFMetadata()).contains("key tokenizer.ggml.model is absent"))
  }

  @Test("A name from a file stays on one line and does not control the terminal")
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
}
