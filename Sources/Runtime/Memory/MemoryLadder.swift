// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux
import Glibc
import PackFormat

/// Loads the replicas with the best kind of memory that works, trying the rungs of a ladder in order.
struct MemoryLadder {
  let blobs: [MappedBlob]
  /// The shortcomings that could not be avoided.
  private(set) var notes: [Note] = []
  /// The reason why the files are not mapped directly, if the kind was left to this type; nil if they are.
  private(set) var reason: Note?
  /// The time when filling began, in nanoseconds of the monotonic clock.
  private(set) var startedAt: UInt64 = 0

  private let pack: Pack
  private let plan: ReplicaPlan
  private let teams: TeamPlan
  private let policyRefusal: String?
  private let options: MemoryOptions
  private let mode: HugePageMode
  private let topology: Topology
  private let pinned: PinnedReplicas.Lookup

  init(_ pack: Pack, _ plan: ReplicaPlan, _ teams: Teams, _ options: MemoryOptions) throws(RuntimeError) {
    self.pack = pack
    self.plan = plan
    self.teams = teams.plan
    policyRefusal = teams.policyRefusal
    self.options = options
    mode = HugePageMode.read(root: options.root)
    topology = Topology.read(root: options.root)
    pinned = options.kind == nil || options.kind == .pinned ? PinnedReplicas(pack).find(plan.replicas) : .none
    var blobs: [MappedBlob] = []
    for (index, replica) in plan.replicas.enumerated() {
      var pinnedPath: String?
      if case .found(let paths) = pinned { pinnedPath = paths[index] }
      blobs.append(
        try MappedBlob(
          replica, path: pack.blobPath(replica.blob), compressed: try CompressedContent(pack, blob: replica.blob),
          pinnedPath: pinnedPath, alignment: pack.manifest.alignment, kernel: options.kernel))
    }
    self.blobs = blobs
  }

  /// Fills the replicas, and returns the kind of memory that worked.
  mutating func climb() throws(RuntimeError) -> MemoryKind {
    startedAt = Clock.nanoseconds
    noteRefusals()
    if let kind = options.kind {
      try refuseImpossible(kind)
      try check(kind)
      try fill(kind)
      return kind
    }
    return try climbByItself()
  }

  private mutating func climbByItself() throws(RuntimeError) -> MemoryKind {
    switch pinned {
    case .found:
      try check(.pinned)
      try fill(.pinned)
      return .pinned
    case .unusable(let path, let problem): notes.append(Note("\(path): \(problem), so it is not used", .unpin))
    case .none: break
    }
    let problem = try fileProblem()
    if problem == nil {
      try check(.file)
      try fill(.file)
      if isHugeThroughout { return .file }
      // Copies in huge pages are faster than files in small ones.
      for blob in blobs { blob.clear() }
    }
    reason = problem ?? Note("parts of the files are cached in small pages", .dropFromCache)
    if (try? check(.hugetlb)) != nil {
      do throws(RuntimeError) {
        try fill(.hugetlb)
        return .hugetlb
      } catch {
        guard case .hugePageShortage = error else { throw error }
      }
    }
    try check(.anon)
    try fill(.anon)
    return .anon
  }

  /// Notes what this system does not permit.
  private mutating func noteRefusals() {
    if !topology.hasNodeFolder {
      notes.append(Note("the kernel shows no NUMA nodes: no memory is bound, and pages are where they were first touched"))
    }
    if options.nodeMap == nil, let idle = ReplicaPlan.idleNodes(pack.manifest, teams, topology) { notes.append(idle) }
    guard let first = blobs.first else { return }
    let probe = first.reservedRange[0..<4096]
    let error = options.kernel.bind(probe, .bind(first.replica.node))
    if error != 0, topology.hasNodeFolder {
      let refusal = "the kernel refuses to bind memory (\(Kernel.text(error))), as containers do"
      notes.append(Note("\(refusal): pages are where the nodes' own threads first touched them"))
    }
    if error == 0, let policyRefusal { notes.append(Note(policyRefusal)) }
    if options.kernel.refuse == nil || error == 0 {
      _ = options.kernel.bind(probe, .standard)
    }
  }

  // MARK: What is possible

  /// Whether the files are compressed, so that they cannot be mapped directly.
  private var isCompressed: Bool { blobs.contains { $0.compressed != nil } }

  private func refuseImpossible(_ kind: MemoryKind) throws(RuntimeError) {
    if kind == .file, isCompressed {
      throw .badOption(
        .memory, value: "file", problem: "the pack is compressed, so its files cannot be mapped",
        remedies: [.memory(.anon), .decompress])
    }
    if kind == .file, plan.sharesFiles {
      throw .badOption(
        .memory, value: "file", problem: "the mirror has one file for all nodes, but the page cache can hold it only once",
        remedies: [.memory(.anon), .copyForEachNode])
    }
    guard kind == .pinned else { return }
    switch pinned {
    case .found: return
    case .unusable(let path, let problem): throw .staleReplica(path: path, problem: problem)
    case .none:
      throw .badOption(.memory, value: "pinned", problem: "no replicas of \(pack.path) are in memory", remedies: [.pin])
    }
  }

  private func bytesByNode(_ kind: MemoryKind) -> [Int: Int] {
    var needed: [Int: Int] = [:]
    for blob in blobs { needed[blob.replica.node, default: 0] += blob.mappedRange(kind).count }
    return needed
  }

  /// Checks that there is room, before anything is read.
  private func check(_ kind: MemoryKind) throws(RuntimeError) {
    switch kind {
    case .pinned: try checkMemory([:])
    case .hugetlb:
      try freeMemory.checkHugePages(bytesByNode(.hugetlb), spill: options.spill)
      try checkMemory([:])
    case .anon: try checkMemory(bytesByNode(kind))
    case .file:
      do throws(RuntimeError) {
        try checkMemory(bytesByNode(kind))
      } catch {
        try checkUncached()
      }
    }
  }

  private var freeMemory: FreeMemory { FreeMemory(topology, limit: MemoryLimit.read(root: options.root)) }

  /// Checks that there is room for the weights and for everything needed in addition.
  private func checkMemory(_ weights: [Int: Int], keeping cached: [Int: Int] = [:])
    throws(RuntimeError)
  {
    try freeMemory.check(weights, and: options.reserved, keeping: cached, spill: options.spill)
  }

  /// Checks that there is room for the part that is not cached on its node yet, while the cached part stays. Finding this out takes time.
  private func checkUncached() throws(RuntimeError) {
    var needed: [Int: Int] = [:]
    var cached: [Int: Int] = [:]
    for blob in blobs {
      let node = blob.replica.node
      let here = 4096 * (PageCache.nodes(blob.path, kernel: options.kernel)?.pages[node] ?? 0)
      needed[node, default: 0] += max(0, blob.mappedRange(.file).count - here)
      cached[node, default: 0] += here
    }
    try checkMemory(needed, keeping: cached)
  }

  /// Returns the reason why the files cannot be mapped in huge pages; nil if a probe of three pages of each file shows that they can.
  private func fileProblem() throws(RuntimeError) -> Note? {
    if isCompressed { return Note("the pack is compressed") }
    if plan.sharesFiles { return Note("the mirror has one file for all nodes") }
    guard pack.manifest.alignment % MappedBlob.hugePage == 0 else { return Note("the pack is aligned to less than 2 MiB") }
    let probe = try FileProbe(options.kernel)
    for blob in blobs {
      switch probe.mapping(of: blob.path, byteCount: blob.replica.byteCount, node: blob.replica.node) {
      case .huge: continue
      case .cachedSmall: return Note("the files are cached in small pages", .dropFromCache)
      case .unknownSmall: return Note("the files are mapped in small pages")
      case .small: return Note("the filesystem maps files in small pages only")
      case nil: return Note("a file is smaller than a huge page, or cannot be mapped")
      }
    }
    return nil
  }

  /// Whether at least nine tenths of the weights are mapped in huge pages.
  private var isHugeThroughout: Bool {
    let huge = blobs.reduce(0) { $0 + MemoryMap.read($1.mappedRange(.file)).hugeByteCount }
    return huge / 9 >= blobs.reduce(0) { $0 + $1.replica.byteCount } / 10
  }

  // MARK: Filling

  private mutating func fill(_ kind: MemoryKind) throws(RuntimeError) {
    let readsDisk = kind == .anon || kind == .hugetlb
    let crew = try LoaderCrew(plan.replicas, plan: teams, threadsPerNode: readsDisk ? 4 : 1, options: options)
    let filler = ReplicaFiller(blobs: blobs, kind: kind, crew: crew, options: options, mode: mode)
    try filler.fill()
    if !readsDisk, topology.nodes.count > 1 { notes += try PageRepair(filler).run().map { Note($0) } }
  }
}
