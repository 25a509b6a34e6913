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
  /// Every tiny model: of all architectures, and of types with and without a 16-row form.
  static let models = Oracles.tiny

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
    // Longer than a window and than several chunks; for DeepSeek V4, longer than a block of 128.
    let tokens = (0..<(name.hasPrefix("deepseek4") ? 135 : 70)).map { Int32($0 * 37 % 509 + 1) }
    let file = try Oracles.tinyFile(name + ".gguf").path
    var expected: [Float]?
    var packs: [String: PackedModel] = [:]
    for division in Self.divisions {
      let key = "\(division.nodes) \(division.placement.rawValue)"
      let pack = try packs[key] ?? PackedModel(file, nodes: division.nodes, placement: division.placement)
      packs[key] = pack
      var options = ModelOptions()
      options.contextLength = 144
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

  /// Models with grouped heads, windows, sinks, capped scores or compressed keys, and with stateful layers in between.
  static let attending = models.filter {
    ["qwen3.Q4_K_M", "gemma3.Q4_K_M", "gemma2-5.F16", "gpt-oss-5.F16", "deepseek2-5.F16", "llama4-5.F16", "qwen35-5.F16"].contains(
      $0)
  }

  @Test(
    "Logits after many positions do not depend on whether threads divide the positions",
    .enabled(if: Oracles.folder != nil, Oracles.absence), arguments: attending)
  func sharedPositions(_ name: String) throws {
    let file = try Oracles.tinyFile(name + ".gguf").path
    // The last two of these 1537 tokens lie in different sections.
    try expectEqualLogits(after: 1532, of: [1, 2].map { try PackedModel(file, nodes: $0, placement: .shard) })
  }

  @Test(
    "Logits of tokens that attend to chosen positions do not depend on whether threads divide these",
    .enabled(if: Oracles.folder != nil, Oracles.absence), arguments: ["deepseek32-topk-5.F16", "glm-dsa-topk-5.F16"])
  func sharedChoice(_ name: String) throws {
    var edited = try EditedModel(Oracles.tinyFile(name + ".gguf").path)
    // So many that threads divide them, and no multiple of a section.
    edited.set("attention.indexer.top_k", .uint32(300))
    let packs = try [1, 2].map { try edited.packed(nodes: $0) }
    // All tokens choose; only the last one chooses, in a run with one that sees all 300 positions.
    for count in [316, 296] { try expectEqualLogits(after: count, of: packs) }
  }

  /// Checks that the logits of some tokens are the same for different numbers of threads.
  ///
  /// - Parameter packs: The model for one node and for two.
  private func expectEqualLogits(after count: Int, of packs: [PackedModel]) throws {
    let tokens = (0..<count + 5).map { Int32($0 * 37 % 509 + 1) }
    var expected: [Float]?
    for (nodes, threads) in [(1, 1), (1, 2), (1, 3), (2, 2)] {
      var options = ModelOptions()
      options.contextLength = count + 32
      let model = try packs[nodes - 1].model(teams: nodes, threads: threads, options: options)
      try model.append(Array(tokens[..<count])) { _, _ in }
      // One by one, and the last two together.
      var logits: [Float] = []
      for range in [0..<1, 1..<2, 2..<3, 3..<5] { logits += try model.allLogits(range.map { tokens[count + $0] }) }
      if let expected {
        #expect(logits == expected, "\(nodes) nodes of \(threads) threads")
      } else {
        #expect(logits.allSatisfy(\.isFinite) == true)
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
    // First all but the last token of each prompt, then the last tokens together.
    for (sequence, prompt) in prompts.enumerated() {
      let left = model.truncate(sequence, to: prompt.count - 1)
      try model.append(Array(prompt[left..<prompt.count - 1]), to: sequence) { _, _ in }
    }
    var together: [[Float]] = []
    try model.step(prompts.indices.map { ($0, prompts[$0][prompts[$0].count - 1]) }) { _, logits in
      together.append(Array(logits))
    }
    for sequence in prompts.indices {
      #expect(together[sequence] == Array(alone[sequence].suffix(model.vocabularySize)), "sequence \(sequence)")
    }
  }

  @Test(
    "Removing the end of a sequence and appending it again gives the same logits",
    .enabled(if: Oracles.folder != nil, Oracles.absence), arguments: models, [0, 4, 16])
  func truncation(_ name: String, interval: Int) throws {
    var options = ModelOptions()
    (options.contextLength, options.batchSize) = (64, 16)
    (options.checkpointInterval, options.checkpointCount) = (interval, 2)
    let model = try PackedModel(Oracles.tinyFile(name + ".gguf").path, nodes: 2).model(options: options)
    let hasState = !model.configuration.forgetsTokens
    #expect(hasState == Self.isRecurrent(name))
    let tokens = (0..<40).map { Int32($0 * 11 % 509 + 1) }
    let first = try model.allLogits(tokens)
    let vocabulary = model.vocabularySize
    // Go back by a little, by more, and then by less again, each time as far as there is something to go back to.
    for length in [37, 13, 36, 39, 0, 20] {
      let left = model.truncate(0, to: length)
      #expect(left <= length && left == model.length(of: 0))
      if !hasState { #expect(left == length) }
      if hasState, length == 37 { #expect(left == [0: 0, 4: 36, 16: 32][interval]) }
      let again = try model.allLogits(Array(tokens[left...]))
      #expect(again == Array(first[(left * vocabulary)...]), "cut to \(length), went on from \(left)")
    }
  }

  /// Returns whether some layers of a tiny model keep a state instead of keys and values.
  static func isRecurrent(_ name: String) -> Bool {
    ["qwen35", "qwen3next", "granitehybrid", "lfm2", "nemotron", "kimi", "deepseek4"].contains { name.hasPrefix($0) }
  }

  @Test(
    "Tentative tokens are taken back exactly, and what follows is unaffected",
    .enabled(if: Oracles.folder != nil, Oracles.absence), arguments: models.filter(isRecurrent), [1, 2])
  func tentative(_ name: String, nodes: Int) throws {
    var options = ModelOptions()
    (options.contextLength, options.checkpointInterval, options.tentativeCount) = (64, 16, 4)
    let model = try PackedModel(Oracles.tinyFile(name + ".gguf").path, nodes: nodes).model(options: options)
    let tokens = (0..<40).map { Int32($0 * 11 % 509 + 1) }
    let (all, vocabulary) = (try model.allLogits(tokens), model.vocabularySize)
    // Together: the last four of five tokens.
    for length in 21...25 {
      model.truncate(0, to: 0)
      try model.append(Array(tokens[..<20])) { _, _ in }
      try model.append(Array(tokens[20..<25]), tentative: 4) { _, _ in }
      #expect(model.truncate(0, to: length) == length)
      #expect(try model.allLogits(Array(tokens[length...])) == Array(all[(length * vocabulary)...]), "back to \(length)")
    }
    // One at a time, of which the last four can be taken back, twice in a row.
    model.truncate(0, to: 0)
    try model.append(Array(tokens[..<20])) { _, _ in }
    for _ in 0..<2 {
      for token in tokens[20..<29] { try model.append([token], tentative: 1) { _, _ in } }
      #expect(model.truncate(0, to: 26) == 26 && model.truncate(0, to: 25) == 25)
      #expect(try model.allLogits(Array(tokens[25..<30])) == Array(all[(25 * vocabulary)..<(30 * vocabulary)]))
      #expect(model.truncate(0, to: 20) == 16)
      try model.append(Array(tokens[16..<20])) { _, _ in }
    }
  }

  @Test(
    "A prompt that is interrupted leaves the sequence as it was", .enabled(if: Oracles.folder != nil, Oracles.absence),
    arguments: ["gemma3.Q4_K_M", "qwen35moe-5.F16"], [0, 8])
  func interruption(_ name: String, interval: Int) throws {
    var options = ModelOptions()
    (options.contextLength, options.batchSize, options.checkpointInterval) = (96, 7, interval)
    let model = try PackedModel(Oracles.tinyFile(name + ".gguf").path).model(options: options)
    let tokens = (0..<60).map { Int32($0 * 11 % 509 + 1) }
    let whole = try model.allLogits(tokens)
    model.truncate(0, to: 0)
    try model.append(Array(tokens[..<21])) { _, _ in }
    var steps = 0
    let other = (0..<30).map { Int32($0 * 7 % 509 + 1) }
    let isRead = try model.append(
      other,
      isInterrupted: {
        steps += 1; return steps == 4
      }
    ) { _, _ in }
    #expect(!isRead && model.length(of: 0) == 21)
    #expect(try model.allLogits(Array(tokens[21...])) == Array(whole[(21 * model.vocabularySize)...]))
  }

  @Test(
    "A slot that another sequence has used gives the same logits as a new one",
    .enabled(if: Oracles.folder != nil, Oracles.absence), arguments: ["gemma3.Q4_K_M", "qwen35-5.F16", "qwen35moe-5.F16"])
  func usedPlace(_ name: String) throws {
    var options = ModelOptions()
    (options.contextLength, options.sequenceCount, options.checkpointInterval) = (64, 3, 8)
    let file = try PackedModel(Oracles.tinyFile(name + ".gguf").path)
    let (used, new) = (try file.model(options: options), try file.model(options: options))
    let prompts = (0..<3).map { sequence in (0..<20 + sequence).map { Int32(($0 * 31 + sequence * 7) % 509 + 1) } }
    for (sequence, prompt) in prompts.enumerated() { _ = try used.allLogits(prompt, sequence: sequence) }
    used.truncate(1, to: 0)
    #expect(try used.allLogits(prompts[2], sequence: 1) == new.allLogits(prompts[2], sequence: 0))
    // The other sequences continue unaffected.
    let more: [Int32] = [5, 6, 7]
    _ = try new.allLogits(prompts[0], sequence: 2)
    #expect(try used.allLogits(more, sequence: 0) == new.allLogits(more, sequence: 2))
  }
}
