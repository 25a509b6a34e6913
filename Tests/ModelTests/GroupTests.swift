// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import PackFormat
import Synchronization
import Testing

@testable import Generation
@testable import Inference
@testable import Tokenization

@Suite("Several sequences at a time")
struct GroupTests {
  private func session(_ pack: Pack, teams: Int, sequences: Int) throws -> Session {
    var options = SessionOptions()
    options.simulatedTeams = teams
    options.teams.threads = 2
    options.model.contextLength = 64
    options.model.sequenceCount = sequences
    return try Session(pack, options: options)
  }

  private func answers(_ session: Session, _ tokenizer: Tokenizer, _ prompts: [[Int32]]) throws -> [String] {
    var generator = BatchGenerator(session.group, tokenizer)
    generator.maximumTokens = 9
    generator.ignoresEnd = true
    var texts = Array(repeating: "", count: prompts.count)
    try generator.run(prompts, sampling: SamplingOptions(seed: 7), isInterrupted: { false }) { texts[$0.prompt] += $0.text }
    return texts
  }

  @Test(
    "A mirror runs each sequence within one node, and every answer equals the one from a shard",
    .enabled(if: Oracles.folder != nil, Oracles.absence), arguments: ["gemma3.Q4_K_M", "qwen3moe.Q4_K_M"])
  func mirror(_ name: String) throws {
    let file = try Oracles.tinyFile(name + ".gguf").path
    let shard = try PackedModel(file, nodes: 2)
    let mirror = try PackedModel(file, nodes: 2, placement: .mirror)
    let tokenizer = try Tokenizer(metadata: shard.pack.metadata)
    let prompts: [[Int32]] = (0..<7).map { prompt in
      (0...prompt).map { (index: Int) -> Int32 in Int32((index * 31 + prompt * 7) % 500 + 3) }
    }

    let together = try session(shard.pack, teams: 2, sequences: 3)
    #expect(together.group.models.count == 1 && together.group.sequenceCount == 3)
    let expected = try answers(together, tokenizer, prompts)
    #expect(expected.contains { !$0.isEmpty })
    #expect(together.model.crossedByteCount > 0)

    let apart = try session(mirror.pack, teams: 2, sequences: 3)
    #expect(apart.group.models.map(\.sequenceCount) == [1, 2])
    #expect(try answers(apart, tokenizer, prompts) == expected)
    #expect(apart.group.models.allSatisfy { $0.crossedByteCount == 0 })

    // A single sequence is computed by all nodes.
    let single = try session(mirror.pack, teams: 2, sequences: 1)
    #expect(single.group.models.count == 1)
    #expect(try answers(single, tokenizer, prompts) == expected)
  }

  @Test(
    "The reading of a prompt can be stopped, which leaves the sequence as it was",
    .enabled(if: Oracles.folder != nil, Oracles.absence))
  func interrupted() throws {
    var options = ModelOptions()
    options.contextLength = 64
    options.batchSize = 8
    let model = try PackedModel(Oracles.tinyFile("llama.Q8_0.gguf").path).model(options: options)
    try model.append([1, 2, 3]) { _, _ in }
    var steps = 0
    let isRead = try model.append(Array(repeating: 5, count: 30), isInterrupted: { (steps += 1, steps > 2).1 }) { _, _ in
      Issue.record("no logits are wanted of a prompt that was not read")
    }
    #expect(!isRead && steps == 3 && model.length(of: 0) == 3)
    let tokenizer = try Tokenizer(metadata: PackedModel(Oracles.tinyFile("llama.Q8_0.gguf").path).pack.metadata)
    var sampler = Sampler(.greedy, vocabularySize: model.vocabularySize)
    let result = try Generator(model, tokenizer).run(prompt: [4, 5], sampler: &sampler, isInterrupted: { true }) { _, _ in
      Issue.record("nothing is said")
    }
    #expect(result.reason == .interrupted && result.tokens.isEmpty && model.length(of: 0) == 3)
  }

  @Test(
    "Keys and values take the bytes that their sizes require, in whole blocks of 16 positions",
    .enabled(if: Oracles.folder != nil, Oracles.absence), arguments: [(CacheType.f16, 64 * 2), (.q8_0, 64 / 32 * 34)])
  func cacheBytes(_ type: CacheType, headBytes: Int) throws {
    var options = ModelOptions()
    options.contextLength = 100
    options.sequenceCount = 3
    options.cacheType = type
    let model = try PackedModel(Oracles.tinyFile("llama.Q8_0.gguf").path, nodes: 2).model(options: options)
    // 2 layers, keys and values, 2 heads of 64 elements.
    #expect(model.cacheByteCount == 2 * 2 * 2 * headBytes * 112 * 3)
  }

  @Test(
    "Latent attention keeps one vector in single precision for each position and layer",
    .enabled(if: Oracles.folder != nil, Oracles.absence), arguments: CacheType.allCases)
  func latentBytes(_ type: CacheType) throws {
    var options = ModelOptions()
    options.contextLength = 100
    options.sequenceCount = 3
    options.cacheType = type
    let packed = try PackedModel(Oracles.tinyFile("deepseek2-5.F16.gguf").path)
    let metadata = packed.pack.metadata
    let sizes = ["block_count", "attention.kv_lora_rank", "rope.dimension_count"].map { metadata.integer("deepseek2.\($0)") ?? 0 }
    #expect(sizes[0] > 0 && sizes[1] > sizes[2])
    #expect(try packed.model(options: options).cacheByteCount == sizes[0] * (sizes[1] + sizes[2]) * 4 * 112 * 3)
  }

  @Test("A context too large for any memory is refused in one line", .enabled(if: Oracles.folder != nil, Oracles.absence))
  func noRoom() throws {
    var options = ModelOptions()
    options.contextLength = 1 << 28
    options.sequenceCount = 1 << 12
    let packed = try PackedModel(Oracles.tinyFile("llama.Q8_0.gguf").path)
    do {
      _ = try packed.model(options: options)
      Issue.record("a PiB was found")
    } catch let error as ModelError {
      guard case .noRoom = error else { throw error }
      #expect(error.description.contains("a context of 268435456 tokens for each of 4096 sequences"))
    }
  }
}
