// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import GGUF
import PackFormat
import TestSupport
import Testing

@testable import Generation
@testable import Inference

/// Tiny models in the weight types of ik_llama.cpp; see ../shared/oracles/README.md.
@Suite("Models in the weight types of ik_llama.cpp")
struct ForkOracleTests {
  static let folder = SharedOracles.folder(holding: "ik/IQ4_K.json")?.appending(path: "ik")

  static let absence: Comment = "no ../shared/oracles/ik here; GGUFPACK_SHARED may name the folder that holds `oracles`"

  static let types = WeightType.allCases.filter { $0.rawValue >= 133 }

  /// The known facts about a model's logits.
  struct Facts: Decodable {
    var tokens: [Int32]
    var vocab: Int
    var bar_mean_kld: Double
  }

  private static func file(_ name: String) throws -> URL { try #require(folder, absence).appending(path: name) }

  private static func facts(_ type: WeightType) throws -> Facts {
    try JSONDecoder().decode(Facts.self, from: Data(contentsOf: file("\(type.name).json")))
  }

  /// Returns the logits computed with the weights that ik_llama.cpp multiplies with.
  private static func truth(_ type: WeightType) throws -> [Float] {
    let own = try file("\(type.name).ref-kernel.f32")
    let path = FileManager.default.fileExists(atPath: own.path) ? own : try file("\(type.name).ref.f32")
    return try Data(contentsOf: path).withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
  }

  @Test(
    "Logits are as close to the truth as the bound says, with the same bits however the work is divided",
    .enabled(if: folder != nil, absence), arguments: types)
  func logits(_ type: WeightType) throws {
    let facts = try Self.facts(type), path = try Self.file("\(type.name).gguf").path
    var expected: [Float]?
    for (nodes, placement, teams, threads, batch) in [
      (1, PackManifest.Placement.shard, 1, 1, 64), (1, .mirror, 1, 2, 1), (2, .shard, 2, 2, 7), (2, .mirror, 2, 1, 64),
      (3, .shard, 3, 2, 64),
      (3, .mirror, 3, 1, 7), (3, .shard, 1, 2, 64),
    ] {
      var options = ModelOptions()
      (options.contextLength, options.batchSize) = (64, batch)
      let pack = try PackedModel(path, nodes: nodes, placement: placement)
      let logits = try pack.model(teams: teams, threads: threads, options: options).allLogits(facts.tokens)
      if let expected {
        #expect(
          logits.elementsEqual(expected) { $0.bitPattern == $1.bitPattern }, "\(nodes) nodes, \(placement), \(threads) threads")
      } else {
        let divergences = divergences(try Self.truth(type), logits, vocabulary: facts.vocab)
        let mean = divergences.reduce(0, +) / Double(divergences.count)
        #expect(mean <= facts.bar_mean_kld, "mean KL \(mean)")
        expected = logits
      }
    }
  }
}
