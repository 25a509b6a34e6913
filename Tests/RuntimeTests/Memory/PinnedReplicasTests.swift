import Foundation
import PackFormat
import Testing

@testable import Runtime

@Suite("Replicas kept in memory", .timeLimit(.minutes(1)))
struct PinnedReplicasTests {
  /// A folder in place of a tmpfs, and a pack pinned in it.
  private func withPinned(_ body: (SmallPack, Pack, PinnedReplicas.Place, [Replica]) throws -> Void) throws {
    let small = try SmallPack()
    let pack = try small.pack(nodes: 2, .shard)
    let place = PinnedReplicas.Place(path: small.folder, isHugeTLB: false)
    let teams = try MappedPackTests.teams(1)
    _ = try PinnedReplicas.pin(pack, plan: teams.plan, in: place, options: MemoryOptions())
    try body(small, pack, place, ReplicaPlan(pack.manifest, teams: teams.plan, nodeMap: nil).replicas)
  }

  private func problem(_ pack: Pack, _ place: PinnedReplicas.Place, _ replicas: [Replica]) -> String? {
    guard case .unusable(_, let problem) = PinnedReplicas(pack).find(replicas, places: [place]) else { return nil }
    return problem
  }

  @Test("They are found, hold the blobs' bytes, and nobody may write them")
  func found() throws {
    try withPinned { _, pack, place, replicas in
      guard case .found(let paths) = PinnedReplicas(pack).find(replicas, places: [place]) else {
        Issue.record("not found")
        return
      }
      for (path, replica) in zip(paths, replicas) {
        let expected = try Data(contentsOf: URL(fileURLWithPath: pack.blobPath(replica.blob)))
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)).prefix(expected.count) == expected)
        #expect(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int == 0o400)
      }
    }
  }

  @Test("Those of an earlier conversion are refused by name")
  func stale() throws {
    try withPinned { small, pack, place, replicas in
      try FileManager.default.removeItem(atPath: pack.path)
      let other = try small.pack(nodes: 3, .shard)
      try FileManager.default.moveItem(atPath: other.path, toPath: pack.path)
      let converted = try Pack.open(pack.path)
      #expect(problem(converted, place, replicas) == "these replicas are of an earlier conversion of \(pack.path)")
    }
  }

  @Test(
    "Those that somebody may write or replace, that are short or missing are refused",
    arguments: ["chmod", "truncate", "remove", "link", "folder"])
  func unusable(damage: String) throws {
    try withPinned { _, pack, place, replicas in
      let path = PinnedReplicas(pack).folder(in: place) + "/" + PinnedReplicas.fileName(replicas[1])
      switch damage {
      case "chmod": #expect(chmod(path, 0o600) == 0)
      case "truncate": #expect(truncate(path, 100) == 0)
      case "remove": #expect(unlink(path) == 0)
      case "folder": #expect(chmod(PinnedReplicas.userFolder(place), 0o777) == 0)
      default:
        #expect(unlink(path) == 0)
        #expect(symlink(pack.blobPath(1), path) == 0)
      }
      #expect(problem(pack, place, replicas) != nil)
    }
  }

  @Test("Freeing leaves nothing")
  func unpin() throws {
    try withPinned { _, pack, place, replicas in
      let gone = try PinnedReplicas.unpin(pack, places: [place])
      #expect(gone.count == 1)
      #expect(access(PinnedReplicas.userFolder(place), F_OK) != 0)
      guard case .none = PinnedReplicas(pack).find(replicas, places: [place]) else {
        Issue.record("still found")
        return
      }
    }
  }

  @Test("A pin that fails leaves nothing")
  func failedPin() throws {
    let small = try SmallPack()
    let pack = try small.pack(nodes: 2, .shard)
    #expect(truncate(pack.blobPath(1), 100) == 0)
    let place = PinnedReplicas.Place(path: small.folder, isHugeTLB: false)
    #expect(throws: RuntimeError.self) {
      try PinnedReplicas.pin(pack, plan: MappedPackTests.teams(1).plan, in: place, options: MemoryOptions())
    }
    #expect(PinnedReplicas.entries(PinnedReplicas.userFolder(place)).isEmpty)
  }
}
