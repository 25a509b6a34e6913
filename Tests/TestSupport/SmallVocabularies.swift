// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF

/// Vocabularies of a few hundred tokens, made in code.
package enum SmallVocabulary {
  /// SentencePiece-style: `<unk>`, `<s>`, `</s>`, a mark, defined tokens, the bytes, and a few pieces with scores.
  package static func sentencePiece(spacePrefix: Bool = false) -> GGUFMetadata {
    let special = [("<unk>", 2), ("<s>", 3), ("</s>", 3), ("<end_of_turn>", 3), ("\n\n", 4), ("<b>", 4)]
    let pieces = [
      "▁", "a", "b", "c", "d", "e", "h", "l", "o", "r", "w", "é", "日", "lo", "he", "ll", "hell", "hello", "▁w", "or", "▁wor", "ld",
    ]
    let bytes = (0..<256).map { byte in
      let digits = String(byte, radix: 16, uppercase: true)
      return "<0x\(digits.count < 2 ? "0" : "")\(digits)>"
    }
    var metadata = GGUFMetadata()
    metadata["tokenizer.ggml.model"] = .text("llama")
    metadata["tokenizer.ggml.tokens"] = .array(MetadataArray(strings: special.map(\.0) + bytes + pieces))
    let scores = [Float](repeating: 0, count: special.count + 256) + pieces.indices.map { -Float($0) }
    metadata["tokenizer.ggml.scores"] = .array(MetadataArray(floats: scores))
    let kinds = special.map { Int32($0.1) } + [Int32](repeating: 6, count: 256) + pieces.map { _ in 1 }
    metadata["tokenizer.ggml.token_type"] = .array(MetadataArray(int32s: kinds))
    metadata["tokenizer.ggml.add_space_prefix"] = .bool(spacePrefix)
    return metadata
  }

  private static let merges = [
    "h e", "l l", "he ll", "hell o", "Ġ w", "o r", "Ġw or", "Ġwor ld", "l d", "Ã ©", "1 2", "12 3", "Ċ Ċ",
  ]

  /// Byte-level BPE: all bytes, a few merges, and control tokens; `begin` and `end` are the begin-of-text and end-of-text tokens.
  package static func byteLevel(control: [String], begin: Int, end: Int, pre: String = "qwen2") -> GGUFMetadata {
    let plain = letters + merges.map { $0.replacing(" ", with: "") }
    var metadata = byteLevel(pre: pre)
    metadata["tokenizer.ggml.tokens"] = .array(MetadataArray(strings: plain + control))
    metadata["tokenizer.ggml.bos_token_id"] = .uint32(UInt32(plain.count + begin))
    metadata["tokenizer.ggml.eos_token_id"] = .uint32(UInt32(plain.count + end))
    metadata["tokenizer.ggml.token_type"] = .array(MetadataArray(int32s: plain.map { _ in 1 } + control.map { _ in 3 }))
    return metadata
  }

  /// Byte-level BPE: all bytes, a few merges, and two control tokens.
  package static func byteLevel(pre: String = "llama-bpe") -> GGUFMetadata {
    let tokens = letters + merges.map { $0.replacing(" ", with: "") } + ["<|im_end|>", "<|begin|>"]
    var metadata = GGUFMetadata()
    metadata["tokenizer.ggml.model"] = .text("gpt2")
    metadata["tokenizer.ggml.pre"] = .text(pre)
    metadata["tokenizer.ggml.tokens"] = .array(MetadataArray(strings: tokens))
    metadata["tokenizer.ggml.merges"] = .array(MetadataArray(strings: merges))
    metadata["tokenizer.ggml.bos_token_id"] = .uint32(UInt32(tokens.count - 1))
    let kinds = tokens.indices.map { Int32($0 < tokens.count - 2 ? 1 : 3) }
    metadata["tokenizer.ggml.token_type"] = .array(MetadataArray(int32s: kinds))
    return metadata
  }

  /// Byte pair encoding of characters, as in Gemma 4: the bytes, a few characters and merges, and tokens of line ends.
  package static func characterPairs() -> GGUFMetadata {
    let bytes = (0..<256).map { byte in
      let digits = String(byte, radix: 16, uppercase: true)
      return "<0x\(digits.count < 2 ? "0" : "")\(digits)>"
    }
    let characters = ["▁", "a", "b", "d", "e", "h", "l", "o", "r", "w", "é", "\n"]
    let merges = ["l l", "h e", "▁ w", "ll o", "he llo", "▁w o", "▁ ▁"]
    let tokens = bytes + characters + merges.map { $0.replacing(" ", with: "") } + ["\n\n", "<bos>", "<unk>"]
    var metadata = GGUFMetadata()
    metadata["tokenizer.ggml.model"] = .text("gemma4")
    metadata["tokenizer.ggml.tokens"] = .array(MetadataArray(strings: tokens))
    metadata["tokenizer.ggml.merges"] = .array(MetadataArray(strings: merges))
    metadata["tokenizer.ggml.bos_token_id"] = .uint32(UInt32(tokens.count - 2))
    metadata["tokenizer.ggml.unknown_token_id"] = .uint32(UInt32(tokens.count - 1))
    metadata["tokenizer.ggml.add_bos_token"] = .bool(true)
    let kinds = tokens.indices.map { Int32($0 < 256 ? 6 : $0 < tokens.count - 2 ? 1 : 3) }
    metadata["tokenizer.ggml.token_type"] = .array(MetadataArray(int32s: kinds))
    return metadata
  }

  /// GPT-2's letter for each byte.
  package static let letters: [String] = {
    var next: UInt32 = 0x100
    return (0..<UInt32(256)).map { byte in
      if (0x21...0x7e).contains(byte) || (0xa1...0xac).contains(byte) || (0xae...0xff).contains(byte) {
        return Unicode.Scalar(byte).map { String($0) } ?? ""
      }
      defer { next += 1 }
      return Unicode.Scalar(next).map { String($0) } ?? ""
    }
  }()

  /// Returns a text of random characters, from control characters to emoji, and words of the vocabularies.
  package static func randomText(_ random: inout SplitMix64) -> String {
    let words = [
      "hello", " world", "<b>", "\n\n", "\r\n", "  ", "'ll", "123", "日本", "é", "e\u{301}", "हिन्दी", "👩‍👩‍👧", "\u{3000}", "ÉCOLEécole",
    ]
    var text = ""
    for _ in 0..<Int.random(in: 0...24, using: &random) {
      let ranges: [ClosedRange<UInt32>] = [1...0x7f, 0x80...0x7ff, 0x800...0xd7ff, 0xe000...0xffff, 0x10000...0x2ffff]
      if Bool.random(using: &random) {
        text += words.randomElement(using: &random) ?? ""
      } else if let range = ranges.randomElement(using: &random),
        let scalar = Unicode.Scalar(UInt32.random(in: range, using: &random))
      {
        text.unicodeScalars.append(scalar)
      }
    }
    return text
  }
}
