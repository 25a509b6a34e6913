import Testing

@testable import Runtime

@Suite("Vocabularies of real models", .enabled(if: Oracles.folder != nil, Oracles.absent))
struct VocabularyOracleTests {
  @Test("Every text gets llama.cpp's ids", arguments: ["llama-spm", "llama-bpe", "qwen2"])
  func encodes(name: String) throws {
    let oracle = try VocabularyOracle(name)
    for (text, ids) in oracle.cases {
      #expect(oracle.tokenizer.encode(text, addSpecial: false, parseSpecial: false) == ids, "\(text.debugDescription)")
    }
  }

  @Test("Every text comes back from its ids", arguments: ["llama-spm", "llama-bpe", "qwen2"])
  func decodes(name: String) throws {
    let oracle = try VocabularyOracle(name)
    for (text, ids) in oracle.cases {
      #expect(oracle.tokenizer.decode(ids) == text)
    }
  }
}
