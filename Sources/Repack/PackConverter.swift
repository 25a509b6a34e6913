import FoundationEssentials
import GGUF
import PackFormat

/// Writes the pack of a model.
///
/// The blobs are made chunk by chunk on all CPUs: read, interleave, hash and write overlap, and memory holds a chunk and the rows
/// behind it for each thread, whatever the model's size.
public struct PackConverter: Sendable {
  /// The model.
  public let model: GGUFModel
  /// What the pack will be like.
  public let plan: PackPlan
  /// What the manifest calls the writer.
  public var writer = "ggufpack"
  /// Threads that work.
  public var threads = OrderedWork.availableThreads

  /// Bytes of a blob that share a digest, and that one thread makes at a time.
  static let chunkByteCount = 8 << 20

  /// A converter of `model` as `plan` says.
  public init(_ model: GGUFModel, plan: PackPlan) {
    self.model = model
    self.plan = plan
  }

  /// Bytes of blobs that `run` writes.
  public var byteCount: Int {
    plan.blobByteCounts.reduce(0, +) * (plan.options.copies ? plan.options.nodeCount : 1)
  }

  /// Writes the pack to the folder `path`.
  ///
  /// - Parameters:
  ///   - replacing: Whether a pack that is there is replaced, in one step at the end.
  ///   - progress: Called with the bytes written since the last call, on any thread, one call at a time.
  /// - Throws: `PackError`; then nothing is left of the pack.
  public func run(to path: String, replacing: Bool = false, progress: (Int) -> Void = { _ in }) throws(PackError) {
    let staging = try Staging(for: path, .pack, replacing: replacing)
    var digests: [String: Digest] = [:]
    digests[Pack.FileName.header] = try writeHeader(to: staging.path)
    let gaps = try SourceGaps(model)
    if !gaps.isZero { digests[Pack.FileName.gaps] = try write(gaps.bytes, to: staging.path, Pack.FileName.gaps) }

    var blobs: [PackManifest.Blob] = []
    let mirror = plan.options.placement == .mirror
    for index in 0..<(mirror && !plan.options.copies ? 1 : plan.options.nodeCount) {
      let name = mirror && !plan.options.copies ? "all.blob" : "node\(index).blob"
      let filler = BlobFiller(try GGUFSource(model), tensors: plan.tensors, blob: mirror ? 0 : index)
      let size = plan.blobByteCounts[mirror ? 0 : index]
      let (chunks, digest) = try write(filler, byteCount: size, to: staging.path + "/" + name, progress)
      blobs.append(.init(file: name, byteCount: size, node: mirror && !plan.options.copies ? nil : index, chunks: chunks))
      digests[name] = digest
    }
    let manifest = manifest(blobs: blobs, gapByteCount: gaps.isZero ? 0 : gaps.bytes.count)
    digests[Pack.FileName.manifest] = try write(try manifest.json(), to: staging.path, Pack.FileName.manifest)
    try OutputFile.write(Array(Checksums(digests).text.utf8), to: staging.path + "/" + Checksums.fileName)
    try staging.commit()
  }

  private func manifest(blobs: [PackManifest.Blob], gapByteCount: Int) -> PackManifest {
    PackManifest(
      writer: writer, placement: plan.options.placement, nodeCount: plan.options.nodeCount, copies: plan.options.copies,
      alignment: plan.options.alignment, chunkByteCount: Self.chunkByteCount,
      source: model.parts.map {
        .init(
          name: String($0.path.split(separator: "/").last ?? ""), byteCount: $0.byteCount,
          headerByteCount: min($0.header.dataOffset, $0.byteCount))
      },
      gapByteCount: gapByteCount, blobs: blobs, tensors: plan.tensors)
  }

  private func write(_ bytes: [UInt8], to folder: String, _ name: String) throws(PackError) -> Digest {
    try OutputFile.write(bytes, to: folder + "/" + name)
    return unsafe Digest(of: bytes.span.bytes)
  }

  private func writeHeader(to folder: String) throws(PackError) -> Digest {
    var bytes: [UInt8] = []
    for part in model.parts { bytes += try SourceGaps.read(part, 0..<min(part.header.dataOffset, part.byteCount)) }
    return try write(bytes, to: folder, Pack.FileName.header)
  }

  private struct Worker: ~Copyable {
    var chunk: ByteBuffer
    var scratch: Scratch
    var digest: Digest?
  }

  private func write(
    _ filler: borrowing BlobFiller<GGUFSource>, byteCount: Int, to path: String, _ progress: (Int) -> Void
  ) throws(PackError) -> (chunks: [Digest], whole: Digest) {
    let file = try OutputFile(path, byteCount: byteCount)
    guard var whole = DigestStream() else { throw .system(file: path, operation: "hash it", reason: "there is no memory") }
    var chunks: [Digest] = []
    let size = Self.chunkByteCount
    @Sendable func range(_ chunk: Int) -> Range<Int> { chunk * size..<min(byteCount, (chunk + 1) * size) }

    try OrderedWork(count: (byteCount + size - 1) / size, threads: threads).run {
      () throws(PackError) in
      Worker(chunk: ByteBuffer(capacity: min(size, byteCount)), scratch: try Scratch())
    } work: { (index, worker) throws(PackError) in
      let range = range(index)
      try unsafe worker.chunk.withMutableBytes(range.count) { (bytes) throws(PackError) in
        try unsafe filler.fill(range, into: bytes, &worker.scratch)
        try unsafe file.write(UnsafeRawBufferPointer(bytes), at: range.lowerBound)
      }
      worker.digest = worker.chunk.withBytes(range.count) { Digest(of: $0) }
    } finish: { (index, worker) throws(PackError) in
      worker.chunk.withBytes(range(index).count) { whole.update($0) }
      if let digest = worker.digest { chunks.append(digest) }
      progress(range(index).count)
    }
    try file.synchronize()
    return (chunks, whole.digest)
  }
}

extension PackManifest {
  /// The manifest as the JSON document of `pack.json`: sorted keys, one line for people who diff it would be too long.
  func json() throws(PackError) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      return Array(try encoder.encode(self)) + [UInt8(ascii: "\n")]
    } catch {
      throw .invalid(file: Pack.FileName.manifest, problem: "it cannot be written: \(error)")
    }
  }
}
