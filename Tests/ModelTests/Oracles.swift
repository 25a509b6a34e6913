// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import TestSupport
import Testing

/// Files made by other programs, with which tests compare results; see ../shared/oracles/README.md.
enum Oracles {
  /// The folder with the oracles, or nil if this checkout has none.
  static let folder = SharedOracles.folder(holding: "README.md")

  static let absence: Comment = "no ../shared/oracles here; GGUFPACK_SHARED may name the folder that holds `oracles`"

  /// The path of Gemma 3 270M as a GGUF, given by GGUFPACK_GEMMA.
  static let gemma: String? = ProcessInfo.processInfo.environment["GGUFPACK_GEMMA"]
  static let gemmaAbsence: Comment = "GGUFPACK_GEMMA names no Gemma 3 270M; scripts/fetch-gemma gets it"

  /// The names of the tiny models, such as `llama.Q4_0`.
  static let tiny: [String] = {
    guard let folder else { return [] }
    let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.appending(path: "tiny").path)) ?? []
    return files.filter { $0.hasSuffix(".json") }.map { String($0.dropLast(5)) }.sorted()
  }()

  /// The known facts about a tiny model's logits.
  struct Tiny: Decodable {
    struct Distance: Decodable {
      var mean_kld: Double
    }
    var tokens: [Int32]
    var vocab: Int
    var llamacpp_vs_ref: Distance
  }

  static func tiny(_ name: String) throws -> Tiny {
    try JSONDecoder().decode(Tiny.self, from: Data(contentsOf: tinyFile(name + ".json")))
  }

  static func tinyFile(_ file: String) throws -> URL {
    try #require(folder, absence).appending(path: "tiny/\(file)")
  }

  /// Returns the logits of a tiny model, `[token][vocab]`: the truth (`ref`) or those of llama.cpp (`llamacpp`).
  static func logits(_ name: String, _ kind: String) throws -> [Float] {
    try Data(contentsOf: tinyFile("\(name).\(kind).f32")).withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
  }

  /// Gemma's oracle.
  struct Gemma: Decodable {
    struct Position: Decodable {
      var top: [Int]
      var ref: [Double]
      var llamacpp: [Double]
    }
    struct Greedy: Decodable {
      var prompt_ids: [Int32]
      var ids: [Int32]
      var smallest_gap: Double
    }
    var tokens: [Int32]
    var llamacpp_vs_ref: Tiny.Distance
    var greedy: [String: Greedy]
    var positions: [Position]
  }

  static func gemmaOracle() throws -> Gemma {
    let file = try #require(folder, absence).appending(path: "gemma3-270m/oracle.json")
    return try JSONDecoder().decode(Gemma.self, from: Data(contentsOf: file))
  }
}
