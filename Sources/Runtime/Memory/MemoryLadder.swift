import PackFormat

/// Chooses how the replicas are held in memory and brings them there: the best rung that works.
struct MemoryLadder {
  let blobs: [MappedBlob]
  private(set) var notes: [String] = []

  private let pack: Pack
  private let plan: ReplicaPlan
  private let teams: TeamPlan
  private let options: MemoryOptions
  private let mode: HugePageMode

  init(_ pack: Pack, _ plan: ReplicaPlan, _ teams: TeamPlan, _ options: MemoryOptions) throws(RuntimeError) {
    self.pack = pack
    self.plan = plan
    self.teams = teams
    self.options = options
    mode = HugePageMode.read(root: options.root)
    var blobs: [MappedBlob] = []
    for replica in plan.replicas {
      blobs.append(
        try MappedBlob(
          replica, path: pack.blobPath(replica.blob), alignment: pack.manifest.alignment, kernel: options.kernel))
    }
    self.blobs = blobs
  }

  /// Fills the replicas; returns by which rung.
  mutating func climb() throws(RuntimeError) -> MemoryKind {
    let kind = options.kind ?? .anon
    try fill(kind)
    return kind
  }

  private func fill(_ kind: MemoryKind) throws(RuntimeError) {
    let crew = try LoaderCrew(
      plan.replicas, plan: teams, threadsPerNode: kind == .file ? 1 : 4, spill: options.spill, kernel: options.kernel)
    try BlobFiller(blobs: blobs, kind: kind, crew: crew, options: options, mode: mode).fill()
  }
}
