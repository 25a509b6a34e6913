// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc
import PackFormat

/// The replicas of one pack that `packrun pin` left in memory, in a tmpfs or hugetlbfs.
///
/// They lie in `ggufpack-USER/PATH.DIGEST/` of such a filesystem: PATH stands for the pack's folder, DIGEST is the digest of its
/// manifest, which covers the source, the layouts and the digests of all weights. A replica of another conversion of the same pack
/// has the same PATH and another DIGEST: it is stale.
public struct PinnedReplicas {
  /// What is there of a pack.
  package enum Lookup {
    case none
    /// The file of each replica asked for.
    case found([String])
    /// Something is there that must not be used.
    case unusable(path: String, problem: String)
  }

  /// A filesystem in memory.
  public struct Place: Hashable, Sendable {
    /// Where it is mounted.
    public var path: String
    /// Whether it is a hugetlbfs; else a tmpfs.
    public var isHugeTLB: Bool
  }

  private let pack: Pack
  private let packKey: String
  private let digest: String
  private let root: String

  package init(_ pack: Pack, root: String = "") {
    self.pack = pack
    self.root = root
    let path = unsafe realpath(pack.path, nil).map { resolved in
      defer { unsafe free(resolved) }
      return unsafe String(cString: resolved)
    }
    // FNV-1a of the folder's path: a file name of fixed length.
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in (path ?? pack.path).utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    packKey = String(hash, radix: 16)
    digest = pack.checksums.digests[Pack.FileName.manifest]?.hex ?? ""
  }

  /// The filesystems in memory where replicas may lie: those of 2 MiB pages, then /dev/shm.
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

  package func folder(in place: Place) -> String { "\(Self.userFolder(place))/\(packKey).\(digest)" }

  package static func userFolder(_ place: Place) -> String { "\(place.path)/ggufpack-\(geteuid())" }

  package static func fileName(_ replica: Replica) -> String { "blob\(replica.blob)-node\(replica.node)" }

  /// Looks for a file of each replica.
  package func find(_ replicas: [Replica], places: [Place]? = nil) -> Lookup {
    var unusable: (path: String, problem: String)?
    for place in places ?? Self.places(root: root) {
      let folder = folder(in: place)
      if unsafe access(folder, F_OK) == 0 {
        if let problem = Self.folderProblem(Self.userFolder(place)) ?? Self.folderProblem(folder) {
          unusable = (folder, problem)
          continue
        }
        let paths = replicas.map { folder + "/" + Self.fileName($0) }
        let problems = zip(paths, replicas).compactMap { path, replica in
          PinnedFile.problem(path, byteCount: replica.byteCount).map { (path, $0) }
        }
        guard let problem = problems.first else { return .found(paths) }
        unusable = problem
      } else if let stale = entries(place).first(where: { $0.hasPrefix(packKey + ".") && !$0.hasSuffix(PartialFolder.suffix) }) {
        unusable = (Self.userFolder(place) + "/" + stale, "these replicas are of an earlier conversion of \(pack.path)")
      }
    }
    return unusable.map { .unusable(path: $0.path, problem: $0.problem) } ?? .none
  }

  private func entries(_ place: Place) -> [String] { Self.entries(Self.userFolder(place)) }

  package static func entries(_ folder: String) -> [String] {
    guard let directory = unsafe opendir(folder) else { return [] }
    defer { unsafe closedir(directory) }
    var names: [String] = []
    while let entry = unsafe readdir(directory) {
      let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) { bytes in
        unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  // MARK: Making and freeing

  /// Leaves bound replicas of a pack in memory. What killed runs left of any pack is freed first.
  ///
  /// - Returns: The folder that holds them.
  /// - Throws: `RuntimeError`; then nothing of it is left. `interrupted` if `options` say so meanwhile.
  public static func pin(
    _ pack: Pack, plan teams: TeamPlan, in place: Place, options: MemoryOptions
  ) throws(RuntimeError) -> String {
    let plan = try ReplicaPlan(pack.manifest, teams: teams, nodeMap: options.nodeMap)
    let pinned = PinnedReplicas(pack)
    let folder = pinned.folder(in: place)
    try unpin(pack, places: [place])
    freeAbandoned(place)
    try checkRoom(plan, place, options)
    try makeFolder(userFolder(place))
    try makeFolder(folder + PartialFolder.suffix)
    let partial = try PartialFolder(folder + PartialFolder.suffix)
    do throws(RuntimeError) {
      try pinned.fill(plan, teams, place, partial.path, options)
      guard unsafe rename(partial.path, folder) == 0 else {
        throw RuntimeError.file(path: partial.path, operation: "give it its final name", reason: Kernel.text(errno))
      }
    } catch {
      remove(partial.path)
      unsafe rmdir(userFolder(place))
      throw error
    }
    return folder
  }

  /// Frees what killed runs have left half filled, of whatever pack.
  private static func freeAbandoned(_ place: Place) {
    for name in entries(userFolder(place)) where name.hasSuffix(PartialFolder.suffix) {
      guard let partial = try? PartialFolder(userFolder(place) + "/" + name) else { continue }
      remove(partial.path)
    }
  }

  private func fill(
    _ plan: ReplicaPlan, _ teams: TeamPlan, _ place: Place, _ partial: String, _ options: MemoryOptions
  ) throws(RuntimeError) {
    var blobs: [MappedBlob] = []
    for replica in plan.replicas {
      blobs.append(
        try MappedBlob(
          replica, path: pack.blobPath(replica.blob), compressed: try CompressedContent(pack, blob: replica.blob),
          pinnedPath: partial + "/" + Self.fileName(replica),
          alignment: pack.manifest.alignment, kernel: options.kernel))
    }
    let crew = try LoaderCrew(plan.replicas, plan: teams, threadsPerNode: 4, options: options)
    let mode = HugePageMode.read(root: options.root)
    try ReplicaFiller(blobs: blobs, kind: .pinned, crew: crew, options: options, mode: mode, isPinning: true).fill()
    for blob in blobs {
      if let path = blob.pinnedPath, unsafe chmod(path, 0o400) != 0 {
        throw .file(path: path, operation: "make it read-only", reason: Kernel.text(errno))
      }
    }
  }

  private static func checkRoom(_ plan: ReplicaPlan, _ place: Place, _ options: MemoryOptions) throws(RuntimeError) {
    var needed: [Int: Int] = [:]
    let unit = MappedBlob.hugePage
    for replica in plan.replicas { needed[replica.node, default: 0] += (replica.byteCount + unit - 1) / unit * unit }
    let topology = Topology.read(root: options.root)
    if place.isHugeTLB {
      let short = needed.sorted { $0.key < $1.key }.compactMap { id, bytes -> NodeShortage? in
        let free = topology.node(id)?.hugePages.first { $0.pageByteCount == unit }.map { $0.free * unit } ?? 0
        return bytes > free ? NodeShortage(node: id, needed: bytes, free: free) : nil
      }
      guard short.isEmpty else { throw .hugePageShortage(short) }
    } else {
      try FreeMemory(root: options.root).check(needed, spill: options.spill)
      var status = statvfs()
      if unsafe statvfs(place.path, &status) == 0 {
        let free = Int(status.f_bavail) * Int(status.f_frsize)
        let total = needed.values.reduce(0, +)
        let size = Int(status.f_blocks) * Int(status.f_frsize)
        guard total <= free else { throw .filesystemShortage(path: place.path, needed: total, free: free, size: size) }
      }
    }
  }

  private static func makeFolder(_ path: String) throws(RuntimeError) {
    if unsafe mkdir(path, 0o700) != 0, errno != EEXIST {
      throw .file(path: path, operation: "create it", reason: Kernel.text(errno))
    }
    if let problem = folderProblem(path) {
      throw .file(path: path, operation: "use it", reason: problem)
    }
  }

  /// What speaks against using a folder; nil if nothing does. Who may write it can put other files in the place of ours.
  private static func folderProblem(_ path: String) -> String? {
    var status = stat()
    guard unsafe lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, status.st_uid == geteuid(),
      status.st_mode & 0o022 == 0
    else { return "it is no folder that only this user may write" }
    return nil
  }

  /// Frees a pack's replicas, those of earlier conversions too.
  ///
  /// - Returns: The folders that are gone.
  @discardableResult
  public static func unpin(_ pack: Pack, places: [Place]? = nil) throws(RuntimeError) -> [String] {
    let key = PinnedReplicas(pack).packKey
    return try unpin(places: places) { $0.hasPrefix(key + ".") }
  }

  /// Frees this user's replicas of all packs.
  ///
  /// - Returns: The folders that are gone.
  public static func unpinAll(places: [Place]? = nil) throws(RuntimeError) -> [String] { try unpin(places: places) { _ in true } }

  private static func unpin(places: [Place]?, _ isMeant: (String) -> Bool) throws(RuntimeError) -> [String] {
    var gone: [String] = []
    for place in places ?? Self.places() {
      for name in entries(userFolder(place)) where isMeant(name) {
        let folder = userFolder(place) + "/" + name
        if name.hasSuffix(PartialFolder.suffix) {
          let partial = try PartialFolder(folder)
          remove(partial.path)
        } else {
          remove(folder)
        }
        guard unsafe access(folder, F_OK) != 0 else {
          throw .file(path: folder, operation: "remove it", reason: Kernel.text(errno))
        }
        gone.append(folder)
      }
      unsafe rmdir(userFolder(place))
    }
    return gone
  }

  private static func remove(_ folder: String) {
    for name in entries(folder) { unsafe unlink(folder + "/" + name) }
    unsafe rmdir(folder)
  }
}

extension PinnedReplicas {
  /// The filesystem for `auto`, `tmpfs` or `hugetlbfs`; `auto` is a hugetlbfs with pages reserved, else the tmpfs.
  ///
  /// - Throws: `RuntimeError.badOption` if this machine has none mounted.
  public static func place(named name: String) throws(RuntimeError) -> Place {
    let places = places()
    let hasPages = Topology.read().nodes.contains {
      $0.hugePages.contains { $0.pageByteCount == MappedBlob.hugePage && $0.free > 0 }
    }
    let place =
      switch name {
      case "auto": places.first { !$0.isHugeTLB || hasPages }
      case "tmpfs": places.first { !$0.isHugeTLB }
      case "hugetlbfs": places.first { $0.isHugeTLB }
      default: throw .badOption(name: "--place", value: name, problem: "write auto, tmpfs or hugetlbfs")
      }
    guard let place else {
      throw .badOption(
        name: "--place", value: name,
        problem: "none is mounted; mount -t hugetlbfs -o pagesize=2M none /dev/hugepages, or mount -t tmpfs none /dev/shm")
    }
    return place
  }
}
