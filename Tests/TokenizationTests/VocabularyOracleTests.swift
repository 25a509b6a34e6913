// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Testing

@testable import Tokenization

@Suite("Vocabularies of real models", .enabled(if: Oracles.folder != nil, Oracles.absent))
struct VocabularyOracleTests {
  @Test("Every text gets llama.cpp's ids, and is restored from them", arguments: ["llama-spm", "llama-bpe", "qwen2"])
  func encodesAndDecodes(name: String) throws {
    let oracle = try VocabularyOracle(name)
    for (text, ids) in oracle.cases {
      #expect(oracle.tokenizer.encode(text, addSpecial: false, parseSpecial: false) == ids, "\(text.debugDescription)")
      #expect(oracle.tokenizer.decode(ids) == text)
    }
  }
}
