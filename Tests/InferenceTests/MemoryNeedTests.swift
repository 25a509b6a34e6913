// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import GGUF
import PackFormat
import Repack
import TestSupport
import Testing

@testable import Generation
@testable import Inference
@testable import PackRuntime

@Suite("Memory in addition to the weights", .timeLimit(.minutes(5)))
struct MemoryNeedTests {
  /// Gives `body` a pack of one of the fixtures, which is deleted afterwards.
  private func withPack(_ name: String, _ placement: PackManifest.Placement, _ body: (Pack) throws -> Void) throws {
    let fixture = URL(filePath: #filePath).appending(path: "../../../fixtures/\(name).gguf").standardized.path
    let folder = FileManager.default.temporaryDirectory.appending(path: "needs-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    var options = PackOptions()
    options.nodeCount = 2
    options.placement = placement
    options.alignment = 1 << 16
    let model = try GGUFModel.open(fixture)
    try PackConverter(model, plan: PackPlan(model, options: options)).run(to: folder + "/model.pack")
    try body(try Pack.open(folder + "/model.pack"))
  }

  private func needs(_ pack: Pack, _ plan: TeamPlan, _ options: ModelOptions) throws -> [Int: Int] {
    let replicas = try ReplicaPlan(pack.manifest, teams: plan, nodeMap: nil)
    return try ModelGroup.byteCounts(pack, replicas, teams: plan, options: options)
  }

  @Test(
    "The memory requested before the weights are read is the memory that the models take",
    arguments: ["llama-tiny", "gemma3-tiny", "qwen3moe-tiny"],
    [(PackManifest.Placement.shard, 1, 1), (.shard, 2, 3), (.mirror, 2, 1), (.mirror, 2, 3), (.mirror, 3, 2)])
  func sameBytes(_ name: String, _ shape: (placement: PackManifest.Placement, teams: Int, sequences: Int)) throws {
    try withPack(name, shape.placement) { pack in
      var options = SessionOptions()
      options.simulatedTeams = shape.teams
      options.teams.threads = shape.teams + 1
      options.model.contextLength = 1000
      options.model.sequenceCount = shape.sequences
      let session = try Session(pack, options: options)
      let pages = session.group.models.flatMap(\.placements).reduce(0) { $0 + $1.localPages + $1.otherPages }
      #expect(try needs(pack, session.teams.plan, options.model).values.reduce(0, +) == pages * 4096)
    }
  }

  @Test("A caller that reads only the last position's logits keeps one row of them", arguments: [1, 3])
  func rowsOfLogits(sequences: Int) throws {
    try withPack("gemma3-tiny", .shard) { pack in
      let plan = TeamPlan(teams: [.init(node: Topology.read().usableNodes[0].id, cpus: [0])])
      var options = ModelOptions()
      (options.contextLength, options.batchSize, options.sequenceCount) = (1000, 512, sequences)
      let all = try needs(pack, plan, options).values.reduce(0, +)
      options.logitRows = 1
      let last = try needs(pack, plan, options).values.reduce(0, +)
      let embedding = try #require(pack.manifest.tensors.first { $0.name == "token_embd.weight" })
      let rows = (512 - sequences) * embedding.dimensions[1] * 4
      // Memory is taken in whole pages.
      #expect(all - last > rows - 8192 && all - last < rows + 8192)
    }
  }

  @Test("A node with room for the weights but not for the additional memory is refused before any weight is read")
  func refusedInTime() throws {
    try withPack("gemma3-tiny", .shard) { pack in
      var options = SessionOptions()
      (options.simulatedTeams, options.teams.threads) = (1, 1)
      options.memory.kind = .anon
      let node = Topology.read().usableNodes[0].id
      let additions = try needs(pack, TeamPlan(teams: [.init(node: node, cpus: [0])]), options.model)[node] ?? 0
      let weights = pack.manifest.blobs.reduce(0) { $0 + ($1.byteCount + (2 << 20) - 1) / (2 << 20) * (2 << 20) }
      let machine = FakeMachine()
      try machine.write("sys/devices/system/node/online", "\(node)")
      // The margin is 48 MiB; the node is one page short.
      try machine.addNode(node, cpus: "0", mebibytes: 1024, free: (weights + additions) >> 20 + 47, distances: "10")
      options.memory.root = machine.root
      // Reading them would be a different error.
      for blob in pack.manifest.blobs.indices { try FileManager.default.removeItem(atPath: pack.blobPath(blob)) }
      let error = #expect(throws: ModelError.self) { try Session(pack, options: options) }
      guard case .contextTooLong(.shortage(let nodes), let largest) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(nodes.map(\.activations) == [additions])
      // The suggested context fits, and the next larger one does not.
      let room = additions - nodes[0].missing
      for (length, fits) in [(largest, true), (largest + 16, false)] {
        options.model.contextLength = length
        #expect((try needs(pack, TeamPlan(teams: [.init(node: node, cpus: [0])]), options.model)[node] ?? 0 <= room) == fits)
      }
      #expect(error?.description.contains("use a context of at most \(largest) tokens") == true)
    }
  }
}
