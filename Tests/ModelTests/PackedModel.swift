// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import GGUF
import PackFormat
import Repack
@testable import Generation
@testable import Inference
@testable import PackRuntime

/// A GGUF converted into a temporary pack, which is removed with this object.
final class PackedModel {
  let pack: Pack
  private let folder: URL

  init(_ gguf: String, nodes: Int = 1, placement: PackManifest.Placement = .shard) throws {
    folder = FileManager.default.temporaryDirectory.appending(path: "model-tests-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    var options = PackOptions()
    options.nodeCount = nodes
    options.placement = placement
    options.alignment = 1 << 16
    let path = folder.appending(path: "model.pack").path
    let model = try GGUFModel.open(gguf)
    try PackConverter(model, plan: PackPlan(model, options: options)).run(to: path)
    pack = try Pack.open(path)
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  /// Returns the model on this many teams, as if each were a node of its own.
  func model(teams: Int? = nil, threads: Int = 1, options: ModelOptions = ModelOptions()) throws -> Model {
    let cpus = (0..<threads).map { $0 % 2 }
    let plan = TeamPlan(teams: (0..<(teams ?? pack.manifest.nodeCount)).map { _ in TeamPlan.Team(node: 0, cpus: cpus) })
    let teams = try Teams(plan: plan)
    return try Model(metadata: pack.metadata, weights: MappedPack(pack, teams: teams), teams: teams, options: options)
  }
}

extension Model {
  /// Returns the logits of every position, `[token][vocab]`.
  func allLogits(_ tokens: [Int32], sequence: Int = 0) throws -> [Float] {
    var all: [Float] = []
    try append(tokens, to: sequence, logitsFrom: 0) { _, logits in all.append(contentsOf: logits) }
    return all
  }
}

/// Returns the Kullback-Leibler divergence of logits `q` from the true logits `p`, both `[token][vocab]`, for each token.
func divergences(_ p: [Float], _ q: [Float], vocabulary: Int) -> [Double] {
  precondition(p.count == q.count && !p.isEmpty)
  return stride(from: 0, to: p.count, by: vocabulary).map { start in
    func prediction(_ logits: [Float]) -> LogProbabilities {
      let row = logits[start..<start + vocabulary]
      return LogProbabilities(row.span)
    }
    return prediction(q).divergence(from: prediction(p))
  }
}
