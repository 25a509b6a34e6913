// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import PackFormat
import Testing

@testable import Inference

/// One way to divide the work.
struct Division: Sendable, CustomTestStringConvertible {
  var nodes: Int
  var placement: PackManifest.Placement
  var teams: Int
  var threads: Int
  var batch: Int

  var testDescription: String {
    "\(nodes) nodes, \(placement.rawValue), \(teams) teams of \(threads) threads, \(batch) tokens at a time"
  }
}

@Suite("The same bits however the work is divided")
struct IdentityTests {
  /// One model of each architecture, and types with and without a 16-row form.
  static let models = [
    "gemma3.Q4_K_M", "llama.Q5_0", "llama.IQ3_S", "llama.F16", "qwen2.Q4_K_M", "qwen3.Q4_K_M", "qwen3moe.Q4_K_M",
    "gpt-oss-5.MXFP4_MOE", "glm4moe-5.F16", "minimax-m2-5.F16", "deepseek2-5.F16",
  ].filter { Oracles.tiny.contains($0) }

  static let divisions: [Division] = {
    var all: [Division] = []
    for nodes in 1...4 {
      for placement in [PackManifest.Placement.shard, .mirror] {
        for threads in 1...2 {
          for batch in [1, 7, 64, 512] where batch != 512 || threads == 2 {
            all.append(Division(nodes: nodes, placement: placement, teams: nodes, threads: threads, batch: batch))
          }
        }
      }
    }
    // Packs for more nodes than there are teams.
    all.append(Division(nodes: 3, placement: .shard, teams: 1, threads: 2, batch: 64))
    all.append(Division(nodes: 4, placement: .shard, teams: 2, threads: 1, batch: 512))
    return all
  }()

  @Test(
    "Logits do not depend on nodes, placement, threads or chunks",
    .enabled(if: Oracles.folder != nil, Oracles.absence), arguments: models)
  func divisions(_ name: String) throws {
    // Longer than a window, and than several chunks.
    let tokens = (0..<70).map { Int32($0 * 37 % 509 + 1) }
    let file = try Oracles.tinyFile(name + ".gguf").path
    var expected: [Float]?
    var packs: [String: PackedModel] = [:]
    for division in Self.divisions {
      let key = "\(division.nodes) \(division.placement.rawValue)"
      let pack = try packs[key] ?? PackedModel(file, nodes: division.nodes, placement: division.placement)
      packs[key] = pack
      var options = ModelOptions()
      options.contextLength = 128
      options.batchSize = division.batch
      let model = try pack.model(teams: division.teams, threads: division.threads, options: options)
      let logits = try model.allLogits(tokens)
      if let expected {
        #expect(logits.elementsEqual(expected) { $0.bitPattern == $1.bitPattern }, "\(division.testDescription)")
      } else {
        #expect(logits.contains { $0 != 0 } && logits.allSatisfy(\.isFinite))
        expected = logits
      }
    }
  }

  @Test(
    "A sequence gets the same logits alone and in a step with others",
    .enabled(if: Oracles.folder != nil, Oracles.absence), arguments: models)
  func batching(_ name: String) throws {
    var options = ModelOptions()
    options.contextLength = 64
    options.sequenceCount = 6
    let model = try PackedModel(Oracles.tinyFile(name + ".gguf").path).model(threads: 2, options: options)
    let prompts = (0..<6).map { sequence in (0..<sequence + 3).map { Int32(($0 * 31 + sequence * 7) % 509 + 1) } }
    var alone: [[Float]] = []
    for (sequence, prompt) in prompts.enumerated() { alone.append(try model.allLogits(prompt, sequence: sequence)) }
    // All but the last token of each prompt again, then the last ones together.
    for (sequence, prompt) in prompts.enumerated() { model.truncate(sequence, to: prompt.count - 1) }
    var together: [[Float]] = []
    try model.step(prompts.indices.map { ($0, prompts[$0][prompts[$0].count - 1]) }) { _, logits in
      together.append(Array(logits))
    }
    for sequence in prompts.indices {
      #expect(together[sequence] == Array(alone[sequence].suffix(model.vocabularySize)), "sequence \(sequence)")
    }
  }

  @Test(
    "Forgetting a sequence's end and saying it again gives the same logits",
    .enabled(if: Oracles.folder != nil, Oracles.absence))
  func truncation() throws {
    var options = ModelOptions()
    options.contextLength = 64
    let model = try PackedModel(Oracles.tinyFile("gemma3.Q4_K_M.gguf").path).model(options: options)
    let tokens = (0..<40).map { Int32($0 * 11 % 509 + 1) }
    let first = try model.allLogits(tokens)
    model.truncate(0, to: 13)
    let again = try model.allLogits(Array(tokens[13...]))
    #expect(again == Array(first[(13 * model.vocabularySize)...]))
  }
}
