// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux
import Files
import Glibc
import SystemPackage

/// Fills replicas with one kind of memory: bound before populated, populated before read, and read-only afterwards.
package struct ReplicaFiller {
  let blobs: [MappedBlob]
  let kind: MemoryKind
  let crew: LoaderCrew
  let options: MemoryOptions
  let mode: HugePageMode
  /// The folder in which to create the replicas' files in memory; nil if existing files are used.
  var target: PartialFolder?

  private var isPinning: Bool { target != nil }

  private var kernel: Kernel { options.kernel }

  /// The bytes populated by one call: few enough for each of a node's threads to get some.
  private static let populatedPiece = 32 << 20
  /// The bytes read by one call; four such reads at a time keep a fast disk busy.
  private static let readPiece = 4 << 20

  /// Fills all replicas.
  ///
  /// - Throws: `hugePageShortage` or `shortage` if the kernel has no more pages of this kind on the right node; other errors if the file
  ///   cannot be read. The addresses stay reserved and can be filled with another kind of memory.
  func fill() throws(RuntimeError) {
    do {
      switch kind {
      case .file: try mapFiles()
      case .pinned where !isPinning: try mapFiles()
      case .anon, .hugetlb, .pinned:
        try mapMemory()
        let populated = blobs.reduce(0) { $0 + $1.mappedRange(kind).count }
        let total = populated + blobs.reduce(0) { $0 + $1.replica.byteCount }
        let progress = ProgressCount(total: total, report: options.progress)
        try populate(CL_MADV_POPULATE_WRITE, progress)
        try collapseSmallPages()
        try read(progress)
      }
    } catch {
      options.progress?(0, 0)
      for blob in blobs { blob.clear() }
      throw error
    }
  }

  // MARK: Memory of our own

  private func mapMemory() throws(RuntimeError) {
    for blob in blobs where blob.replica.byteCount > 0 {
      let range = blob.mappedRange(kind)
      var flags = MAP_PRIVATE | MAP_ANONYMOUS
      if kind == .hugetlb { flags |= CInt(CL_MAP_HUGETLB | CL_MAP_HUGE_2MB) }
      if let target {
        let file = try PinnedFile.create(PinnedReplicas.fileName(blob.replica), in: target.folder, byteCount: range.count)
        let descriptor = file.descriptor.rawValue
        let error = unsafe kernel.map(range, protection: PROT_READ | PROT_WRITE, flags: MAP_SHARED, file: descriptor)
        guard error == 0 else { throw shortage(error, of: blob, "map") }
        blob.isMapped(from: file.path)
      } else {
        let error = unsafe kernel.map(range, protection: PROT_READ | PROT_WRITE, flags: flags)
        guard error == 0 else { throw shortage(error, of: blob, "map") }
      }
      if kind != .hugetlb { _ = kernel.advise(range, CL_MADV_HUGEPAGE) }
      // Containers refuse this. The crew's threads run on the node, so their first touch places the pages there.
      _ = kernel.bind(range, options.spill ? .preferred(blob.replica.node) : .bind(blob.replica.node))
    }
  }

  private func read(_ progress: ProgressCount) throws(RuntimeError) {
    var readers: [ObjectIdentifier: UncachedFile<RuntimeError>] = [:]
    for blob in blobs where blob.compressed == nil {
      readers[ObjectIdentifier(blob)] = try UncachedFile(blob.path, links: .followed)
    }
    try crew.forEachPiece(
      of: blobs, pieceByteCount: { _ in Self.readPiece }, byteCount: { $0.replica.byteCount }
    ) {
      piece throws(RuntimeError) in
      // The piece lies in its blob's reservation, which is mapped writable, and no other thread has this piece.
      let memory = unsafe piece.blob.base + piece.range.lowerBound
      try unsafe piece.blob.compressed?.read(piece.range, into: memory)
      try unsafe readers[ObjectIdentifier(piece.blob)]?.read(piece.range, into: memory)
      progress.add(piece.range.count)
    }
    for blob in blobs where blob.replica.byteCount > 0 {
      let error = kernel.protect(blob.mappedRange(kind), PROT_READ)
      guard error == 0 else { throw .system(operation: "make the weights read-only", reason: Kernel.text(error)) }
    }
  }

  // MARK: The page cache

  private func mapFiles() throws(RuntimeError) {
    for blob in blobs { try mapFile(blob) }
    let kind = kind
    let total = blobs.reduce(0) { $0 + $1.mappedRange(kind).count }
    try populate(CL_MADV_POPULATE_READ, ProgressCount(total: total, report: options.progress))
    // Left at MADV_RANDOM, the kernel would take the weights for unused when memory is short.
    for blob in blobs { _ = kernel.advise(blob.mappedRange(kind), CL_MADV_NORMAL) }
  }

  /// Whether the kernel reads a file one huge page at a time if read-ahead is off.
  ///
  /// Linux 6.18 does. With read-ahead, it would leave small pages where a step of more than 2 MiB is no multiple of 2 MiB, and read slowly
  /// where steps are short. Linux 6.1 makes half of the pages small when read-ahead is off; newer kernels than 6.18 have not been measured.
  private static var readsHugePagesSingly: Bool { cl_kernel_is_at_least(6, 18) && !cl_kernel_is_at_least(6, 19) }

  private func mapFile(_ blob: MappedBlob) throws(RuntimeError) {
    let path = kind == .pinned ? blob.pinnedPath ?? blob.path : blob.path
    let range = blob.mappedRange(kind)
    for start in stride(from: 0, to: range.count, by: partByteCount(blob)) {
      try mapFile(path, blob, range[start..<min(start + partByteCount(blob), range.count)], offset: start)
    }
    blob.isMapped(from: path)
    // This must come before the first page is present; otherwise the kernel keeps reading the file in small pages.
    let isHuge = kernel.advise(range, CL_MADV_HUGEPAGE) == 0
    if kind == .file, isHuge, Self.readsHugePagesSingly { _ = kernel.advise(range, CL_MADV_RANDOM) }
  }

  /// Maps a part of a file through a descriptor of its own.
  private func mapFile(_ path: String, _ blob: MappedBlob, _ range: AddressRange, offset: Int) throws(RuntimeError) {
    // Files of a pack may be links into a download cache. The digests show whether they are the right ones.
    let file = try File<RuntimeError>(path, links: kind == .pinned ? .refused : .followed)
    let status = try file.status()
    if kind == .pinned, let problem = PinnedFile.problem(status, byteCount: blob.replica.byteCount) {
      throw .staleReplica(path: path, problem: problem)
    }
    // Reading pages beyond the end would raise a signal.
    guard Int(status.size) >= blob.replica.byteCount else {
      throw .file(
        path: path, operation: "map it", reason: "it has \(status.size) bytes, but the manifest says \(blob.replica.byteCount)")
    }
    let descriptor = file.descriptor.rawValue
    let error = unsafe kernel.map(range, protection: PROT_READ, flags: MAP_SHARED, file: descriptor, offset: offset)
    guard error == 0 else { throw .file(path: path, operation: "map it", reason: Kernel.text(error)) }
  }

  // MARK: Both

  /// Populates all pages with the crew's threads, so that a shortage becomes an error here and not a signal later.
  func populate(_ advice: Int, _ progress: ProgressCount? = nil) throws(RuntimeError) {
    let kind = kind
    let collapses = kind == .anon && mode == .never
    let isFile = advice == CL_MADV_POPULATE_READ
    try crew.forEachPiece(
      of: blobs, pieceByteCount: { isFile ? partByteCount($0) : Self.populatedPiece }, byteCount: { $0.mappedRange(kind).count }
    ) {
      piece throws(RuntimeError) in
      for start in stride(from: piece.range.lowerBound, to: piece.range.upperBound, by: Self.populatedPiece) {
        if start > piece.range.lowerBound, options.isInterrupted?() == true { throw .interrupted }
        let range = piece.blob.reservedRange[start..<min(start + Self.populatedPiece, piece.range.upperBound)]
        if collapses { collapse(range) }
        let error = kernel.advise(range, advice)
        if Self.meansUnknown(error), kind != .hugetlb {
          kernel.touch(range, writing: advice == CL_MADV_POPULATE_WRITE)
        } else if error != 0 {
          throw shortage(error, of: piece.blob, "populate")
        }
        progress?.add(range.count)
      }
    }
  }

  /// Returns the bytes of a mapped file that one thread loads, in one consecutive run.
  ///
  /// The kernel tracks the reading position of each open file description, and threads that share one make it read in small pages.
  private func partByteCount(_ blob: MappedBlob) -> Int {
    let unit = MappedBlob.hugePage
    let pages = blob.mappedRange(kind).count.pieceCount(of: unit)
    let threads = crew.threadCount(on: blob.replica.node)
    return max(1, pages.pieceCount(of: threads)) * unit
  }

  /// Returns whether an errno of an advice means that this kernel (before 5.14) or a container's profile does not support it.
  ///
  /// Reserved huge pages are not touched instead, because a missing one would raise a signal.
  private static func meansUnknown(_ error: CInt) -> Bool { [EINVAL, ENOSYS, EPERM].contains(error) }

  /// Collapses small pages into huge ones where the kernel had no huge page at first, or where it gives a file in memory none by default.
  private func collapseSmallPages() throws(RuntimeError) {
    guard kind != .hugetlb else { return }
    let kind = kind
    let small = blobs.filter { MemoryMap.read($0.mappedRange(kind)).hugeByteCount < $0.mappedRange(kind).count }
    try crew.forEachPiece(of: small, pieceByteCount: { _ in Self.populatedPiece }, byteCount: { $0.mappedRange(kind).count }) {
      piece in
      // Pages that stay small are reported later.
      _ = kernel.advise(piece.blob.reservedRange[piece.range], CL_MADV_COLLAPSE)
    }
  }

  /// Makes huge pages although the system setting is `never`: touches one small page of each, then collapses the range around it.
  private func collapse(_ range: AddressRange) {
    for offset in stride(from: 0, to: range.count, by: MappedBlob.hugePage) {
      guard kernel.advise(range[offset..<offset + 4096], CL_MADV_POPULATE_WRITE) == 0 else { return }
      let whole = range[offset..<min(offset + MappedBlob.hugePage, range.count)]
      guard kernel.advise(whole, CL_MADV_COLLAPSE) == 0 else { return }
    }
  }

  /// Returns the error that an errno of mapping or populating means for this kind of memory.
  private func shortage(_ error: CInt, of blob: MappedBlob, _ verb: String) -> RuntimeError {
    let node = Topology.read(root: options.root).node(blob.replica.node)
    if kind == .hugetlb, error == ENOMEM || error == EFAULT || Self.meansUnknown(error) {
      let free = node?.freeHugePageByteCount ?? 0
      return .hugePageShortage([NodeShortage(node: blob.replica.node, needed: blob.mappedRange(kind).count, free: free)])
    }
    // Populating a page for which the filesystem has no room fails with EFAULT; touching it would raise a signal.
    if isPinning, let path = blob.pinnedPath, [ENOMEM, ENOSPC, EFAULT].contains(error) {
      return Self.filesystemShortage(blob.replica.node, path, needed: blob.mappedRange(kind).count)
    }
    if error == ENOMEM {
      return .shortage([
        NodeShortage(node: blob.replica.node, needed: blob.mappedRange(kind).count, free: node?.freeMemory ?? 0)
      ])
    }
    // For a mapped file, EFAULT means that the file no longer has these bytes.
    let reason = kind == .file && error == EFAULT ? "it was cut, or the disk failed, while it was in use" : Kernel.text(error)
    return .file(path: blob.path, operation: "\(verb) \(ByteCount(blob.replica.byteCount)) for it", reason: reason)
  }
}

extension ReplicaFiller {
  /// Returns the shortage of a full tmpfs or hugetlbfs for the file at `path`, which lies two folders below its mount point.
  private static func filesystemShortage(_ node: Int, _ path: String, needed: Int) -> RuntimeError {
    let space = FilesystemSpace(path)
    let free = space?.free ?? 0
    if space?.unit == MappedBlob.hugePage { return .hugePageShortage([NodeShortage(node: node, needed: needed, free: free)]) }
    let mount = FilePath(path).removingLastComponent().removingLastComponent().removingLastComponent()
    return .filesystemShortage(path: mount.string, needed: needed, free: free, size: space?.size ?? 0)
  }
}
