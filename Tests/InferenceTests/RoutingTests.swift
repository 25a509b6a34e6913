// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF
import TestSupport
import Testing

@testable import Inference

@Suite("Choosing experts")
struct RoutingTests {
  private static func routing(
    _ architecture: String, experts: Int, used: Int, groups: Int = 1, usedGroups: Int = 1, _ keys: [String: MetadataValue] = [:]
  ) throws -> Routing {
    var metadata = GGUFMetadata()
    for (key, value) in keys { metadata[key] = value }
    let sizes = [
      "expert_count": experts, "expert_used_count": used, "expert_group_count": groups, "expert_group_used_count": usedGroups,
    ]
    for (key, value) in sizes { metadata["\(architecture).\(key)"] = .uint32(UInt32(value)) }
    return try #require(try Routing(MetadataReader(metadata, prefix: architecture), Architecture.named(architecture)))
  }

  private static func choose(_ routing: Routing, _ scores: [Float]) throws -> (ranks: [Int], weights: [Float]) {
    let kernels = try #require(Kernels(named: "portable"))
    let count = routing.count
    let memory = UnsafeMutableRawPointer.allocate(byteCount: 64 * 1024, alignment: 64)
    defer { memory.deallocate() }
    var arena = Arena(base: memory)
    let row = arena.row(count)
    for (index, score) in scores.enumerated() { row[index] = score }
    let scratch = Routing.Scratch(&arena, routing)
    let (ranks, weights) = (arena.integers(routing.usedCount), arena.row(routing.usedCount))
    routing.choose(row, bias: nil, selectionBias: nil, kernels, scratch, ranks: ranks, weights: weights)
    return ((0..<routing.usedCount).map { Int(ranks[$0]) }, (0..<routing.usedCount).map { weights[$0] })
  }

  @Test("The best experts come first, and among equals the one with the lower number")
  func best() throws {
    let chosen = try Self.choose(Self.routing("qwen3moe", experts: 6, used: 3), [0, 2, 1, 2, -1, 0.5])
    #expect(chosen.ranks == [1, 3, 2])
    #expect(abs(chosen.weights.reduce(0, +) - 1) < 1e-6)
  }

  @Test(
    "Whatever the scores, the chosen experts are distinct and in range",
    arguments: ["qwen3moe", "gpt-oss", "glm4moe", "deepseek2"], [1, 4])
  func distinct(architecture: String, groups: Int) throws {
    let routing = try Self.routing(architecture, experts: 16, used: 5, groups: groups, usedGroups: max(1, groups / 2))
    var random = SplitMix64(seed: 21)
    let odd: [Float] = [
      .nan, .infinity, -.infinity, 0, -0.0, .greatestFiniteMagnitude, -.greatestFiniteMagnitude, .leastNonzeroMagnitude,
    ]
    for round in 0..<3000 {
      let scores = (0..<16).map { _ in
        round < 8
          ? odd[round] : Bool.random(using: &random) ? odd.randomElement(using: &random) ?? 0 : .random(in: -3...3, using: &random)
      }
      let ranks = try Self.choose(routing, scores).ranks
      #expect(Set(ranks).count == 5 && ranks.allSatisfy { (0..<16).contains($0) }, "\(scores)")
    }
  }

  @Test(
    "A deepseek2 file that names no gate uses softmax, or sigmoid if it has the sizes of GLM 4.7 Flash",
    arguments: [
      (27, 102_400, ExpertGating.softmax), (60, 154_880, .softmax), (47, 154_880, .sigmoid), (48, 154_880, .sigmoid),
      (47, 102_400, .softmax),
    ])
  func unnamedGate(layers: Int, vocabulary: Int, expected: ExpertGating) throws {
    let keys: [String: MetadataValue] = [
      "deepseek2.block_count": .uint32(UInt32(layers)), "deepseek2.vocab_size": .uint32(UInt32(vocabulary)),
    ]
    #expect(try Self.routing("deepseek2", experts: 8, used: 2, keys).gating == expected)
    let named = keys.merging(["deepseek2.expert_gating_func": .uint32(2)]) { $1 }
    #expect(try Self.routing("deepseek2", experts: 8, used: 2, named).gating == .sigmoid)
  }
}
