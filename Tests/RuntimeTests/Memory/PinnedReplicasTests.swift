// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux
import Foundation
import PackFormat
import Synchronization
import Testing

@testable import PackRuntime

@Suite("Replicas kept in memory", .timeLimit(.minutes(5)))
struct PinnedReplicasTests {
  /// Runs `body` with a folder in place of a tmpfs, and a pack pinned in it.
  private func withPinned(_ body: (RandomPack, Pack, PinnedReplicas.Place, [Replica]) throws -> Void) throws {
    let small = try RandomPack()
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

  @Test("Pinned replicas are found, hold the blobs' bytes, and are not writable")
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

  @Test("Pinned replicas are listed with their pack, until that is converted again or removed")
  func listed() throws {
    try withPinned { small, pack, place, replicas in
      let user = PinnedReplicas.userFolder(place)
      try FileManager.default.createDirectory(atPath: user + "/0.0.partial", withIntermediateDirectories: false)
      func list() throws -> [PinnedPack] { try PinnedReplicas.list(places: [place]).sorted { $0.replicaCount > $1.replicaCount } }
      let size = replicas.reduce(0) { $0 + ($1.byteCount + MappedBlob.hugePage - 1) / MappedBlob.hugePage * MappedBlob.hugePage }
      let resolved = URL(fileURLWithPath: pack.path).resolvingSymlinksInPath().path
      var expected = PinnedPack(
        path: resolved, folder: PinnedReplicas(pack).folder(in: place), byteCount: size, replicaCount: 2, state: .ready)
      let partial = PinnedPack(path: nil, folder: user + "/0.0.partial", byteCount: 0, replicaCount: 0, state: .partial)
      #expect(try list() == [expected, partial])
      try FileManager.default.removeItem(atPath: pack.path)
      expected.state = .stale
      #expect(try list() == [expected, partial])
      let other = try small.pack(nodes: 3, .shard)
      try FileManager.default.moveItem(atPath: other.path, toPath: pack.path)
      #expect(try list() == [expected, partial])
      _ = try PinnedReplicas.unpinAll(places: [place])
      #expect(try list() == [])
    }
  }

  @Test(
    "Names of empty files stand for a pack's path, and only names made from a path do",
    arguments: [
      "/", "/models/a.pack", "/über/\n", "/" + String(repeating: "long/", count: 800), String(pathBytes: [47, 0xff, 0x80]),
    ])
  func pathNames(path: String) {
    let names = PinnedPath.names(path)
    #expect(names.allSatisfy { $0.utf8.count <= 255 && PinnedPath.isPart($0) })
    #expect(PinnedPath.path(["blob0-node0"] + names.reversed()) == path)
    #expect(PinnedPath.path(["blob0-node0"]) == nil)
    #expect(PinnedPath.path(names + ["path99.00"]) == nil)
    #expect(PinnedPath.path(names.map { $0 + "g" }) == nil)
  }

  @Test("Replicas of an earlier conversion are refused by name")
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
    "Replicas that others may write or replace, or that are short or missing, are refused",
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

  /// Returns a folder with a file, standing for what another user might want to have deleted.
  private func thesis(_ small: RandomPack) throws -> (folder: String, file: String) {
    let folder = small.folder + "/docs"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try Data("thesis".utf8).write(to: URL(fileURLWithPath: folder + "/thesis"))
    return (folder, folder + "/thesis")
  }

  @Test("A link in place of this user's folder is not followed: it gives one line, and nothing is deleted")
  func linkedUserFolder() throws {
    let small = try RandomPack()
    let pack = try small.pack(nodes: 1, .shard)
    let place = PinnedReplicas.Place(path: small.folder, isHugeTLB: false)
    let (folder, file) = try thesis(small)
    #expect(symlink(folder, PinnedReplicas.userFolder(place)) == 0)
    for attempt in [
      { _ = try PinnedReplicas.unpinAll(places: [place]) }, { _ = try PinnedReplicas.unpin(pack, places: [place]) },
      { try pin(pack, in: place, MemoryOptions()) },
    ] {
      let error = #expect(throws: RuntimeError.self) { try attempt() }
      #expect(error?.description.contains("this is a symbolic link") == true)
    }
    #expect(access(file, F_OK) == 0)
    guard case .unusable = PinnedReplicas(pack).find([], places: [place]) else {
      Issue.record("taken")
      return
    }
  }

  @Test("In a folder that another user may write to, nothing is deleted or created", arguments: [0o777, 0o770, 0o720])
  func foreignUserFolder(mode: Int) throws {
    let small = try RandomPack()
    let pack = try small.pack(nodes: 1, .shard)
    let place = PinnedReplicas.Place(path: small.folder, isHugeTLB: false)
    let replicas = PinnedReplicas(pack).folder(in: place)
    try FileManager.default.createDirectory(atPath: replicas, withIntermediateDirectories: true)
    try Data().write(to: URL(fileURLWithPath: replicas + "/thesis"))
    #expect(chmod(replicas, 0o700) == 0 && chmod(PinnedReplicas.userFolder(place), mode_t(mode)) == 0)
    for attempt in [
      { _ = try PinnedReplicas.unpinAll(places: [place]) }, { _ = try PinnedReplicas.unpin(pack, places: [place]) },
      { try pin(pack, in: place, MemoryOptions()) },
    ] {
      let error = #expect(throws: RuntimeError.self) { try attempt() }
      #expect(error?.description.hasSuffix("users other than its owner may write to it") == true)
    }
    #expect(access(replicas + "/thesis", F_OK) == 0)
    // The same one level below.
    #expect(chmod(replicas, mode_t(mode)) == 0 && chmod(PinnedReplicas.userFolder(place), 0o700) == 0)
    #expect(throws: RuntimeError.self) { try PinnedReplicas.unpinAll(places: [place]) }
    #expect(access(replicas + "/thesis", F_OK) == 0)
  }

  @Test("A link among this user's folders is removed, and what it leads to stays", arguments: ["", ".partial"])
  func linkedFolder(suffix: String) throws {
    let small = try RandomPack()
    let pack = try small.pack(nodes: 1, .shard)
    let place = PinnedReplicas.Place(path: small.folder, isHugeTLB: false)
    let (folder, file) = try thesis(small)
    for free in [
      { try PinnedReplicas.unpinAll(places: [place]) }, { try PinnedReplicas.unpin(pack, places: [place]) },
    ] {
      #expect(mkdir(PinnedReplicas.userFolder(place), 0o700) == 0)
      #expect(symlink(folder, PinnedReplicas(pack).folder(in: place) + suffix) == 0)
      #expect(try free().count == 1)
      #expect(access(file, F_OK) == 0 && access(PinnedReplicas.userFolder(place), F_OK) != 0)
    }
  }

  @Test("Unpinning leaves nothing")
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
    let small = try RandomPack()
    let pack = try small.pack(nodes: 2, .shard)
    #expect(truncate(pack.blobPath(1), 100) == 0)
    let place = PinnedReplicas.Place(path: small.folder, isHugeTLB: false)
    #expect(throws: RuntimeError.self) {
      try PinnedReplicas.pin(pack, plan: MappedPackTests.teams(1).plan, in: place, options: MemoryOptions())
    }
    #expect(PinnedReplicas.entries(place).isEmpty)
  }

  private func pin(_ pack: Pack, in place: PinnedReplicas.Place, _ options: MemoryOptions) throws {
    _ = try PinnedReplicas.pin(pack, plan: MappedPackTests.teams(1).plan, in: place, options: options)
  }

  @Test("A filesystem that becomes full during pinning is a shortage, not a signal", arguments: [EFAULT, ENOMEM, ENOSPC])
  func full(error: CInt) throws {
    let small = try RandomPack()
    let pack = try small.pack(nodes: 2, .shard)
    let place = PinnedReplicas.Place(path: small.folder, isHugeTLB: false)
    var options = MemoryOptions()
    options.kernel = Kernel { $0 == .advise(CInt(CL_MADV_POPULATE_WRITE)) ? error : nil }
    let thrown = #expect(throws: RuntimeError.self) { try pin(pack, in: place, options) }
    #expect(thrown?.description.hasPrefix("\(small.folder) has too little room: ") == true)
    #expect(access(PinnedReplicas.userFolder(place), F_OK) != 0)
  }

  @Test("An interrupted pin leaves nothing")
  func interrupted() throws {
    let small = try RandomPack()
    let pack = try small.pack(nodes: 2, .shard)
    let place = PinnedReplicas.Place(path: small.folder, isHugeTLB: false)
    var options = MemoryOptions()
    let asked = Atomic(0)
    options.isInterrupted = { asked.add(1, ordering: .relaxed).newValue > 2 }
    #expect(throws: RuntimeError.interrupted) { try pin(pack, in: place, options) }
    #expect(access(PinnedReplicas.userFolder(place), F_OK) != 0)
  }

  @Test("What a killed pin of another pack has left is freed by the next pin; what a running one fills is not touched")
  func abandoned() throws {
    let small = try RandomPack()
    let pack = try small.pack(nodes: 2, .shard)
    let place = PinnedReplicas.Place(path: small.folder, isHugeTLB: false)
    let (dead, living) = (PinnedReplicas.userFolder(place) + "/1.a.partial", PinnedReplicas.userFolder(place) + "/2.b.partial")
    for folder in [dead, living] {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      try Data("half".utf8).write(to: URL(fileURLWithPath: folder + "/blob0-node0"))
    }
    #expect(chmod(PinnedReplicas.userFolder(place), 0o700) == 0)
    do {
      guard let user = try PinnedFolder.ofUser(in: place) else {
        Issue.record("no folder of this user")
        return
      }
      let lock = try PartialFolder("2.b.partial", in: user)
      try pin(pack, in: place, MemoryOptions())
      #expect(access(dead, F_OK) != 0 && access(lock.folder.path("blob0-node0"), F_OK) == 0)
      #expect(throws: RuntimeError.self) { try PinnedReplicas.unpinAll(places: [place]) }
      #expect(access(living, F_OK) == 0)
      let own = try PartialFolder(makePartial(of: pack, in: place), in: user)
      let refusal = #expect(throws: RuntimeError.self) { try pin(pack, in: place, MemoryOptions()) }
      #expect(refusal?.description.contains("another process is filling it") == true)
      #expect(access(own.folder.path, F_OK) == 0)
    }
    _ = try PinnedReplicas.unpinAll(places: [place])
    #expect(access(PinnedReplicas.userFolder(place), F_OK) != 0)
  }

  private func makePartial(of pack: Pack, in place: PinnedReplicas.Place) throws -> String {
    let path = PinnedReplicas(pack).folder(in: place) + PartialFolder.suffix
    try FileManager.default.createDirectory(
      atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    return URL(fileURLWithPath: path).lastPathComponent
  }
}
