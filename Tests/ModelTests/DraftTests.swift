// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import Testing

@testable import Generation
@testable import Inference
@testable import Tokenization

@Suite("Answers with proposed tokens", .enabled(if: Oracles.folder != nil, Oracles.absence))
struct DraftTests {
  static let models = IdentityTests.models

  /// Returns one answer, and the length of the sequence after it.
  private func answer(
    _ model: Model, _ tokenizer: Tokenizer, _ prompt: [Int32], _ options: SamplingOptions, _ drafter: Drafter?, most: Int? = 40
  ) throws -> (GenerationResult, length: Int) {
    model.truncate(0, to: 0)
    var generator = Generator(model, tokenizer)
    generator.maximumTokens = most
    generator.drafter = drafter
    var sampler = Sampler(options, vocabularySize: model.vocabularySize)
    let result = try generator.run(prompt: prompt, sampler: &sampler, isInterrupted: { false }) { _, _ in }
    return (result, model.length(of: 0))
  }

  @Test("Answers with proposed tokens equal those without, token for token, both greedy and sampled", arguments: models)
  func same(_ name: String) throws {
    let packed = try PackedModel(Oracles.tinyFile(name + ".gguf").path, nodes: 2)
    let tokenizer = try Tokenizer(metadata: packed.pack.metadata)
    var options = ModelOptions()
    (options.contextLength, options.tentativeCount) = (96, Drafter.mostTokensOfState)
    let (model, twin) = (try packed.model(options: options), try packed.model(options: options))
    // Texts that repeat themselves, so that tokens are proposed, and that fill the context.
    let prompts: [[Int32]] = [
      (0..<40).map { (index: Int32) in index % 7 + 40 }, (0..<60).map { (index: Int32) in index * 37 % 11 + 100 },
    ]
    var (proposed, accepted) = (0, 0)
    for (number, prompt) in prompts.enumerated() {
      for sampling in [SamplingOptions.greedy, SamplingOptions(temperature: 0.5, topK: 4, seed: UInt64(number))] {
        let plain = try answer(model, tokenizer, prompt, sampling, nil)
        #expect(plain.0.draft == nil)
        for source in [Drafter.Source.repeatedText, .model(DraftModel(twin))] {
          let drafter = try Drafter(source, for: model)
          let drafted = try answer(model, tokenizer, prompt, sampling, drafter)
          #expect(drafted.0.tokens == plain.0.tokens)
          #expect(drafted.0.reason == plain.0.reason)
          #expect(drafted.length == plain.length)
          let count = try #require(drafted.0.draft)
          #expect(count.steps + count.accepted <= plain.0.tokens.count)
          proposed += count.proposed
          if case .model = source { accepted += count.accepted }
        }
      }
    }
    // The same model predicts its own greedy answers.
    #expect(accepted > 20 && proposed > accepted)
  }

  @Test("Answers with proposed tokens fill the context as far as those without")
  func full() throws {
    let packed = try PackedModel(Oracles.tinyFile("qwen3.Q4_K_M.gguf").path)
    let tokenizer = try Tokenizer(metadata: packed.pack.metadata)
    var options = ModelOptions()
    options.contextLength = 50
    let (model, twin) = (try packed.model(options: options), try packed.model(options: options))
    let prompt = (0..<30).map { (index: Int32) in index % 5 + 40 }
    let plain = try answer(model, tokenizer, prompt, .greedy, nil, most: nil)
    for source in [Drafter.Source.repeatedText, .model(DraftModel(twin))] {
      let drafted = try answer(model, tokenizer, prompt, .greedy, Drafter(source, for: model), most: nil)
      #expect(drafted.0.tokens == plain.0.tokens)
      #expect(drafted.0.reason == plain.0.reason)
      #expect(drafted.length == plain.length)
    }
  }

  @Test(
    "Proposed tokens are refused by name if layers keep a state and no copies of it",
    arguments: ["qwen35-5.F16", "granitehybrid-5.F16", "lfm2moe-5.F16", "nemotron_h_moe-5.F16", "kimi-linear-5.F16"])
  func refused(_ name: String) throws {
    let model = try PackedModel(Oracles.tinyFile(name + ".gguf").path).model()
    let architecture = model.configuration.architecture.name
    #expect(throws: DraftError.keepsNoCopies(architecture: architecture)) { try Drafter(.repeatedText, for: model) }
  }
}
