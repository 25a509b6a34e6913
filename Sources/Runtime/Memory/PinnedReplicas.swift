// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import Glibc
import PackFormat

/// The replicas of one pack that `packrun pin` left in memory, in a tmpfs or hugetlbfs.
///
/// They lie in `ggufpack-USER/PATH.DIGEST/` of such a filesystem. PATH is a hash of the pack's folder. DIGEST is the digest of its
/// manifest, which covers the source, the layouts and the digests of all weights. Replicas with the same PATH and another DIGEST belong to
/// another conversion of the same pack and are stale.
public struct PinnedReplicas {
  /// The result of looking for the replicas of a pack.
  package enum Lookup {
    case none
    /// The path of the file for each requested replica.
    case found([String])
    /// Replicas exist that must not be used.
    case unusable(path: String, problem: String)
  }

  /// A filesystem in memory.
  public struct Place: Hashable, Sendable {
    /// The path where it is mounted.
    public var path: String
    /// Whether it is a hugetlbfs; otherwise it is a tmpfs.
    public var isHugeTLB: Bool
  }

  private let pack: Pack
  /// The absolute path of the pack's folder, with links resolved.
  private let resolvedPath: String
  private let packKey: String
  private let digest: String
  private let root: String

  /// The replicas of `pack`.
  ///
  /// - Parameter root: The folder that holds /sys and /proc, for tests.
  package init(_ pack: Pack, root: String = "") {
    self.pack = pack
    self.root = root
    resolvedPath = pack.wholePath
    // FNV-1a of the folder's path gives a file name of bounded length.
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in resolvedPath.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    packKey = String(hash, radix: 16)
    digest = pack.checksums.digests[Pack.FileName.manifest]?.hex ?? ""
  }

  /// Returns the filesystems in memory where replicas may lie: hugetlbfs with 2 MiB pages first, then /dev/shm.
  public static func places(root: String = "") -> [Place] {
    var places: [Place] = []
    for line in (TextFile.read(root + "/proc/mounts") ?? "").split(separator: "\n") {
      let fields = line.split(separator: " ")
      guard fields.count > 3 else { continue }
      if fields[2] == "hugetlbfs", fields[3].contains("pagesize=2M") {
        places.append(Place(path: String(fields[1]), isHugeTLB: true))
      }
      if fields[2] == "tmpfs", fields[1] == "/dev/shm" { places.append(Place(path: String(fields[1]), isHugeTLB: false)) }
    }
    return places.sorted { $0.isHugeTLB && !$1.isHugeTLB }
  }

  /// Returns the path of the folder of the pack's replicas.
  package func folder(in place: Place) -> String { "\(Self.userFolder(place))/\(name)" }

  var name: String { "\(packKey).\(digest)" }

  static var userFolderName: String { "ggufpack-\(geteuid())" }

  /// Returns the path of this user's folder in `place`.
  package static func userFolder(_ place: Place) -> String { "\(place.path)/\(userFolderName)" }

  /// Returns the file name of a replica.
  package static func fileName(_ replica: Replica) -> String { "blob\(replica.blob)-node\(replica.node)" }

  /// Looks for a file for each replica.
  package func find(_ replicas: [Replica], places: [Place]? = nil) -> Lookup {
    var unusable: Lookup?
    for place in places ?? Self.places(root: root) {
      do throws(RuntimeError) {
        guard let user = try PinnedFolder.ofUser(in: place) else { continue }
        switch try find(replicas, in: user) {
        case .none: continue
        case .found(let paths): return .found(paths)
        case let problem: unusable = problem
        }
      } catch {
        unusable = .unusable(path: Self.userFolder(place), problem: Self.reason(error))
      }
    }
    return unusable ?? .none
  }

  private func find(_ replicas: [Replica], in user: borrowing PinnedFolder) throws(RuntimeError) -> Lookup {
    if try user.folder.status(name) != nil {
      do throws(RuntimeError) {
        return try files(of: replicas, in: try user.folder(name))
      } catch {
        return .unusable(path: user.folder.path(name), problem: Self.reason(error))
      }
    }
    let stale = try user.folder.names().first { $0.hasPrefix(packKey + ".") && !$0.hasSuffix(PartialFolder.suffix) }
    return stale.map {
      .unusable(path: user.folder.path($0), problem: "these replicas are of an earlier conversion of \(pack.path)")
    } ?? .none
  }

  private func files(of replicas: [Replica], in pack: borrowing PinnedFolder) throws(RuntimeError) -> Lookup {
    for replica in replicas {
      let file = Self.fileName(replica)
      if let problem = PinnedFile.problem(try pack.folder.status(file), byteCount: replica.byteCount) {
        return .unusable(path: pack.folder.path(file), problem: problem)
      }
    }
    return .found(replicas.map { pack.folder.path(Self.fileName($0)) })
  }

  /// Returns the reason from an error about a file, without the path and the operation.
  private static func reason(_ error: RuntimeError) -> String {
    if case .file(_, _, let reason, _) = error { return reason }
    return error.description
  }

  /// Returns the names of this user's folders of replicas in `place`; empty if they cannot be listed.
  package static func entries(_ place: Place) -> [String] {
    guard let user = try? PinnedFolder.ofUser(in: place) else { return [] }
    return (try? user.folder.names()) ?? []
  }

  // MARK: Making and freeing

  /// Leaves bound replicas of a pack in memory, after freeing what killed runs left of any pack.
  ///
  /// - Returns: The path of the folder that holds them.
  /// - Throws: `RuntimeError`; nothing remains then. It is `interrupted` if `options.isInterrupted` returns true.
  public static func pin(
    _ pack: Pack, plan teams: TeamPlan, in place: Place, options: MemoryOptions
  ) throws(RuntimeError) -> String {
    let plan = try ReplicaPlan(pack.manifest, teams: teams, nodeMap: options.nodeMap)
    let pinned = PinnedReplicas(pack)
    try unpin(pack, places: [place])
    try freeAbandoned(place)
    try checkRoom(plan, place, options)
    let user = try PinnedFolder.makeOfUser(in: place)
    let partialName = pinned.name + PartialFolder.suffix
    _ = try user.makeFolder(partialName)
    let partial = try PartialFolder(partialName, in: user)
    do throws(RuntimeError) {
      try pinned.fill(plan, teams, partial, options)
      try user.folder.rename(partialName, to: pinned.name)
    } catch {
      try? user.folder.remove(partialName)
      PinnedFolder.removeOfUser(from: place)
      throw error
    }
    return pinned.folder(in: place)
  }

  /// Frees the partial replicas of any pack that killed runs have left.
  private static func freeAbandoned(_ place: Place) throws(RuntimeError) {
    guard let user = try PinnedFolder.ofUser(in: place) else { return }
    for name in try user.folder.names() where name.hasSuffix(PartialFolder.suffix) {
      guard let partial = try? PartialFolder(name, in: user) else { continue }
      try withExtendedLifetime(partial) { () throws(RuntimeError) in try user.folder.remove(name) }
    }
  }

  private func fill(
    _ plan: ReplicaPlan, _ teams: TeamPlan, _ partial: PartialFolder, _ options: MemoryOptions
  ) throws(RuntimeError) {
    var blobs: [MappedBlob] = []
    for replica in plan.replicas {
      blobs.append(
        try MappedBlob(
          replica, path: pack.blobPath(replica.blob), compressed: try CompressedContent(pack, blob: replica.blob),
          pinnedPath: partial.folder.path(Self.fileName(replica)),
          alignment: pack.manifest.alignment, kernel: options.kernel))
    }
    let crew = try LoaderCrew(plan.replicas, plan: teams, threadsPerNode: 4, options: options)
    let mode = HugePageMode.read(root: options.root)
    try ReplicaFiller(blobs: blobs, kind: .pinned, crew: crew, options: options, mode: mode, target: partial).fill()
    for replica in plan.replicas {
      let file = try partial.folder.file(Self.fileName(replica))
      guard fchmod(file.descriptor.rawValue, 0o400) == 0 else {
        throw .file(path: file.path, operation: "make it read-only", reason: Kernel.text(errno), isWriting: true)
      }
    }
    for name in PinnedPath.names(resolvedPath) { _ = try partial.folder.file(name, for: .creating, permissions: [.ownerRead]) }
  }

  private static func checkRoom(_ plan: ReplicaPlan, _ place: Place, _ options: MemoryOptions) throws(RuntimeError) {
    let needed = plan.bytesByNode
    let memory = FreeMemory(root: options.root)
    if place.isHugeTLB {
      try memory.checkHugePages(needed)
    } else {
      try memory.check(needed, spill: options.spill)
      let total = needed.values.reduce(0, +)
      let space = FilesystemSpace(place.path)
      // A filesystem that does not report its free space fails when it is written to.
      guard let space, total > space.free else { return }
      throw .filesystemShortage(path: place.path, needed: total, free: space.free, size: space.size)
    }
  }

  /// Frees a pack's replicas, including those of earlier conversions.
  ///
  /// - Returns: The paths of the removed folders.
  /// - Throws: `RuntimeError.file` if a folder is not controlled by this user alone; nothing in it is touched then.
  @discardableResult
  public static func unpin(_ pack: Pack, places: [Place]? = nil) throws(RuntimeError) -> [String] {
    let key = PinnedReplicas(pack).packKey
    return try unpin(places: places) { $0.hasPrefix(key + ".") }
  }

  /// Frees this user's replicas of all packs.
  ///
  /// - Returns: The paths of the removed folders.
  /// - Throws: `RuntimeError.file` if a folder is not controlled by this user alone; nothing in it is touched then.
  public static func unpinAll(places: [Place]? = nil) throws(RuntimeError) -> [String] { try unpin(places: places) { _ in true } }

  private static func unpin(places: [Place]?, _ isMeant: (String) -> Bool) throws(RuntimeError) -> [String] {
    var gone: [String] = []
    for place in places ?? Self.places() {
      guard let user = try PinnedFolder.ofUser(in: place) else { continue }
      for name in try user.folder.names() where isMeant(name) {
        if try user.folder.status(name)?.type == .directory {
          // This checks its owner, and that no process is filling it.
          _ = try user.folder(name)
          let partial = name.hasSuffix(PartialFolder.suffix) ? try PartialFolder(name, in: user) : nil
          try withExtendedLifetime(partial) { () throws(RuntimeError) in try user.folder.remove(name) }
        } else {
          // A link or a file that this user has put here is removed, but not what a link leads to.
          try user.folder.remove(name)
        }
        gone.append(user.folder.path(name))
      }
      PinnedFolder.removeOfUser(from: place)
    }
    return gone
  }
}

extension PinnedReplicas {
  /// The kinds of filesystem in memory.
  public enum PlaceKind: String, Sendable, CaseIterable {
    /// A hugetlbfs if it has free pages, otherwise the tmpfs.
    case auto
    case tmpfs, hugetlbfs
  }

  /// Returns the filesystem of this kind.
  ///
  /// - Throws: `RuntimeError.badOption` if none is mounted on this machine.
  public static func place(_ kind: PlaceKind) throws(RuntimeError) -> Place {
    let places = places()
    let hasPages = Topology.read().nodes.contains { $0.freeHugePageByteCount > 0 }
    let place =
      switch kind {
      case .auto: places.first { !$0.isHugeTLB || hasPages }
      case .tmpfs: places.first { !$0.isHugeTLB }
      case .hugetlbfs: places.first { $0.isHugeTLB }
      }
    guard let place else {
      throw .badOption(.place, value: kind.rawValue, problem: "none is mounted", remedies: [.otherPlace])
    }
    return place
  }
}
