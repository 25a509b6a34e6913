// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import Foundation
import Glibc
import PackFormat
import Testing

@testable import PackRuntime

@Suite("Mapped packs", .timeLimit(.minutes(5)))
struct MappedPackTests {
  struct Shape: Sendable, CustomTestStringConvertible {
    var nodes: Int
    var placement: PackManifest.Placement
    var copies = false
    var teams: Int
    var kind: MemoryKind
    var testDescription: String { "\(nodes) nodes, \(placement)\(copies ? " with copies" : ""), \(teams) teams, \(kind)" }
  }

  static let shapes: [Shape] = [
    .init(nodes: 1, placement: .shard, teams: 1, kind: .anon), .init(nodes: 3, placement: .shard, teams: 1, kind: .file),
    .init(nodes: 3, placement: .shard, teams: 2, kind: .anon), .init(nodes: 2, placement: .shard, teams: 2, kind: .file),
    .init(nodes: 2, placement: .shard, teams: 3, kind: .anon), .init(nodes: 2, placement: .mirror, teams: 2, kind: .anon),
    .init(nodes: 2, placement: .mirror, teams: 3, kind: .file),
    .init(nodes: 2, placement: .mirror, copies: true, teams: 1, kind: .file),
    .init(nodes: 2, placement: .mirror, copies: true, teams: 2, kind: .anon),
  ]

  /// Returns teams of one thread each, all on the first node of this machine.
  static func teams(_ count: Int) throws -> Teams {
    let cpus = Topology.currentAffinity()
    let node = Topology.read().usableNodes[0].id
    return try Teams(plan: TeamPlan(teams: (0..<count).map { .init(node: node, cpus: [cpus[$0 % cpus.count]]) }))
  }

  @Test("Over all teams, every row of every weight occurs once, with the bytes of its blob", arguments: shapes)
  func everyRowOnce(_ shape: Shape) throws {
    let small = try RandomPack()
    let pack = try small.pack(nodes: shape.nodes, shape.placement, copies: shape.copies)
    let mapped = try MappedPack(pack, teams: Self.teams(shape.teams), options: MemoryOptions(kind: shape.kind))
    #expect(mapped.kind == shape.kind)
    for tensor in pack.manifest.tensors {
      let weight = try #require(mapped.table.weight(tensor.name))
      #expect(weight.columns == tensor.rowElements && weight.rows == tensor.rowCount && weight.experts == tensor.expertCount)
      let slices = Array(UnsafeBufferPointer(start: weight.slices, count: Int(weight.teamStarts[shape.teams])))
      var rows: [Int] = []
      for slice in slices {
        rows += slice.rowBegin..<slice.rowBegin + slice.rowCount
        for expert in 0..<weight.experts { try check(slice, expert, tensor, pack) }
      }
      #expect(rows.sorted() == Array(0..<tensor.rowCount))
    }
    #expect(mapped.table.weight("absent") == nil)
  }

  /// Compares a slice's bytes with those of its rows in the blob's file.
  private func check(_ slice: WeightSlice, _ expert: Int, _ tensor: PackTensor, _ pack: Pack) throws {
    let source = try #require(tensor.slices.first { ($0.rowBegin..<$0.rowBegin + $0.rowCount).contains(slice.rowBegin) })
    #expect(slice.isInterleaved == (source.layout != .gguf))
    #expect(!slice.isInterleaved || (slice.rowBegin % 16 == 0 && slice.rowCount % 16 == 0))
    let rowBytes = source.byteCount / source.rowCount
    let begin = source.offset + expert * source.expertStride + (slice.rowBegin - source.rowBegin) * rowBytes
    var expected = [UInt8](repeating: 0, count: slice.rowCount * rowBytes)
    let file = try File<PackError>(pack.blobPath(source.blob))
    try expected.withUnsafeMutableBytes { buffer throws in try file.read(begin, into: buffer) }
    let found = UnsafeRawBufferPointer(start: slice.base + expert * slice.expertStride, count: expected.count)
    #expect(found.elementsEqual(expected), "\(tensor.name), rows from \(slice.rowBegin), expert \(expert)")
  }

  @Test("A single row is found from every team, for a mirror in a replica on its own node", arguments: [0, 15, 16, 57, 95, 99])
  func rowLookup(row: Int) throws {
    let small = try RandomPack()
    for placement in PackManifest.Placement.allCases {
      let mapped = try MappedPack(small.pack(nodes: 2, placement), teams: Self.teams(2), options: MemoryOptions(kind: .anon))
      for team in 0..<2 {
        let weight = try #require(mapped.table.weight("matrix"))
        let nearby = UnsafeBufferPointer(start: weight.nearby + team * weight.nearbyCount, count: weight.nearbyCount)
        #expect(nearby.filter { $0.slice.holds(row) }.count == 1)
        let found = try #require(nearby.first { $0.slice.holds(row) })
        let own = UnsafeBufferPointer(start: weight.slices, count: Int(weight.teamStarts[2]))
        let isOwn = own[Int(weight.teamStarts[team])..<Int(weight.teamStarts[team + 1])].contains { $0.holds(row) }
        #expect(found.isLocal == (isOwn || placement == .mirror))
      }
    }
  }

  @Test("A blob that became shorter after the pack was opened causes an error, not a signal")
  func truncated() throws {
    let small = try RandomPack(rows: 4000)
    let pack = try small.pack(nodes: 1, .shard)
    #expect(truncate(pack.blobPath(0), 8192) == 0)
    let error = #expect(throws: RuntimeError.self) {
      try MappedPack(pack, teams: Self.teams(1), options: MemoryOptions(kind: .anon))
    }
    #expect(error?.description.contains("it ends at byte 8192") == true)
    let mapped = #expect(throws: RuntimeError.self) {
      try MappedPack(pack, teams: Self.teams(1), options: MemoryOptions(kind: .file))
    }
    #expect(mapped?.description.contains("node0.blob: cannot map it: it has 8192 bytes") == true)
  }

  @Test(
    "Weights are verified in memory: a replica with one changed byte is named", arguments: [MemoryKind.anon, .file, .pinned])
  func verified(kind: MemoryKind) throws {
    let small = try RandomPack()
    let pack = try small.pack(nodes: 2, .shard)
    let teams = try Self.teams(2)
    var options = MemoryOptions(kind: kind == .pinned ? .anon : kind)
    options.verifies = true
    _ = try MappedPack(pack, teams: teams, options: options)
    guard kind == .pinned else {
      let blob = try FileHandle(forUpdating: URL(fileURLWithPath: pack.blobPath(1)))
      try blob.seek(toOffset: 5000)
      try blob.write(contentsOf: Data([0xff]))
      try blob.close()
      let error = #expect(throws: RuntimeError.self) { try MappedPack(pack, teams: teams, options: options) }
      #expect(error?.description.contains("node1.blob: damaged: checksum mismatch in chunk 0") == true)
      return
    }
    let replica = Replica(blob: 0, node: teams.plan.teams[0].node, byteCount: pack.manifest.blobs[0].byteCount)
    let blob = try MappedBlob(replica, path: pack.blobPath(0), pinnedPath: "/replica", alignment: 4096, kernel: Kernel())
    let bytes = try Data(contentsOf: URL(fileURLWithPath: pack.blobPath(0)))
    let range = blob.mappedRange(.anon)
    try #require(Kernel().map(range, protection: PROT_READ | PROT_WRITE, flags: MAP_PRIVATE | MAP_ANONYMOUS) == 0)
    bytes.withUnsafeBytes { blob.base.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
    try ReplicaVerifier(pack: pack, blobs: [blob], teams: teams).run()
    blob.base.storeBytes(of: 0xff, toByteOffset: 4096, as: UInt8.self)
    let error = #expect(throws: RuntimeError.self) { try ReplicaVerifier(pack: pack, blobs: [blob], teams: teams).run() }
    #expect(error?.description.hasPrefix("/replica: damaged: checksum mismatch in chunk 0") == true)
  }

  @Test("Memory on a node is zero, writable and aligned", arguments: [1, 5000, 3 << 20])
  func nodeMemory(byteCount: Int) throws {
    let memory = try NodeMemory(byteCount: byteCount, team: 0, teams: Self.teams(1))
    #expect(Int(bitPattern: memory.base) % 64 == 0)
    let bytes = UnsafeMutableRawBufferPointer(start: memory.base, count: byteCount)
    #expect(bytes.allSatisfy { $0 == 0 })
    bytes[byteCount - 1] = 1
  }
}
