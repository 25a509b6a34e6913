import FoundationEssentials
import GGUF
import PackFormat

/// Writes a pack: of a model, or of another pack in another arrangement or another storage.
///
/// The blobs are made chunk by chunk on all CPUs: read, interleave, hash and write overlap, and memory holds a chunk and the rows
/// behind it for each thread, whatever the model's size.
public struct PackConverter: Sendable {
  /// Where the weights come from.
  private enum Origin: Sendable {
    case model(GGUFModel)
    /// A pack whose rows are arranged anew.
    case rows(Pack)
    /// A pack whose blobs keep their content.
    case blobs(Pack)
  }

  private let origin: Origin
  private let arrangement: Arrangement
  /// What the manifest calls the writer.
  public var writer = "ggufpack"
  /// Threads that work.
  public var threads = min(OrderedWork.availableThreads, PackConverter.mostThreads)
  /// libzstd's level with which blobs are compressed; nil stores them as they are.
  public var compressionLevel: Int?
  /// Goes on with what an interrupted run has left, and leaves what it has done if it is interrupted itself.
  public var resumes = false

  /// Bytes of a blob that share a digest, and that one thread makes at a time.
  static let chunkByteCount = 8 << 20
  /// More threads than this keep no disk busier, and memory within its limit.
  private static let mostThreads = 16

  /// A converter of `model` as `plan` says.
  public init(_ model: GGUFModel, plan: PackPlan) {
    origin = .model(model)
    arrangement = Arrangement(plan, chunkByteCount: Self.chunkByteCount)
  }

  /// A converter of `pack`, without its source, as `plan` says.
  public init(_ pack: Pack, plan: PackPlan) {
    origin = .rows(pack)
    arrangement = Arrangement(plan, chunkByteCount: Self.chunkByteCount)
  }

  /// A converter of `pack` that keeps the content of its blobs, and stores it compressed or as it is.
  public init(storing pack: Pack) {
    origin = .blobs(pack)
    arrangement = Arrangement(pack.manifest)
  }

  /// Bytes of blobs that `run` makes.
  public var byteCount: Int { arrangement.byteCount }

  /// Writes the pack to the folder `path`.
  ///
  /// - Parameters:
  ///   - replacing: Whether a pack that is there is replaced, in one step at the end.
  ///   - progress: Called with the bytes written since the last call, on any thread, one call at a time; what it throws ends the run.
  /// - Throws: `PackError`; then nothing is left of the pack, unless it `resumes`.
  public func run(
    to path: String, replacing: Bool = false, progress: (Int) throws(PackError) -> Void = { _ in }
  ) throws(PackError) {
    var staging = try Staging(for: path, .pack, replacing: replacing, resuming: resumes)
    try staging.requireSpace(byteCount)
    staging.keepsUnfinished = resumes
    var digests: [String: Digest] = [:]
    let header = try headerBytes()
    let journal = resumes ? try Journal(in: staging.path, purpose: try purpose(header)) : nil
    if journal?.written.isEmpty ?? false { try staging.clear(keeping: Journal.fileName) }
    digests[Pack.FileName.header] = try Self.write(header, to: staging.path, Pack.FileName.header)
    let gaps = try gapBytes()
    if !gaps.isEmpty { digests[Pack.FileName.gaps] = try Self.write(gaps, to: staging.path, Pack.FileName.gaps) }

    let written = try writeBlobs(to: staging.path, journal, progress)
    for (blob, result) in zip(arrangement.blobs, written) { digests[blob.file] = result.digest }
    let manifest = arrangement.manifest(writer: writer, source: sourceParts, gapByteCount: gaps.count, blobs: written)
    digests[Pack.FileName.manifest] = try Self.write(try manifest.json(), to: staging.path, Pack.FileName.manifest)
    _ = try Self.write(Array(Checksums(digests).text.utf8), to: staging.path, Checksums.fileName)
    try staging.commit(removing: [Journal.fileName])
  }

  // MARK: Blobs

  private func writeBlobs(
    to folder: String, _ journal: Journal?, _ progress: (Int) throws(PackError) -> Void
  ) throws(PackError) -> [WrittenBlob] {
    var written: [WrittenBlob] = []
    for index in arrangement.blobs.indices {
      let earlier = journal?.written[index] ?? [:]
      func finished(_ chunk: Int, _ digest: Digest, _ count: Int) throws(PackError) {
        if earlier[chunk] != digest { try journal?.note(blob: index, chunk: chunk, digest) }
        try progress(count)
      }
      let content = arrangement.blobs[index].content
      switch origin {
      case .model(let model):
        let filler = BlobFiller(try GGUFSource(model), tensors: arrangement.tensors, blob: content)
        written.append(try write(filler, index, folder, earlier, finished))
      case .rows(let pack):
        let filler = BlobFiller(try PackTensorSource(pack), tensors: arrangement.tensors, blob: content)
        written.append(try write(filler, index, folder, earlier, finished))
      case .blobs(let pack):
        written.append(try write(ExistingContent(reader: try BlobReader(pack, blob: index)), index, folder, earlier, finished))
      }
    }
    return written
  }

  private func write(
    _ content: borrowing some BlobContent & ~Copyable, _ index: Int, _ folder: String, _ earlier: [Int: Digest],
    _ finished: (Int, Digest, Int) throws(PackError) -> Void
  ) throws(PackError) -> WrittenBlob {
    let blob = arrangement.blobs[index]
    let path = folder + "/" + blob.file
    guard let compressionLevel else {
      let writer = PlainBlobWriter(
        path: path, byteCount: blob.byteCount, chunkByteCount: arrangement.chunkByteCount, threads: threads, written: earlier,
        isNew: !resumes)
      return try writer.write(content, finished: finished)
    }
    let writer = CompressedBlobWriter(
      path: path, byteCount: blob.byteCount, chunkByteCount: arrangement.chunkByteCount, threads: threads, level: compressionLevel)
    let nothing = Digest(of: [])
    // Frames are written anew by a resumed run: where they lie depends on all before them.
    return try writer.write(content, sections: arrangement.sections(of: blob.content)) { (count) throws(PackError) in
      try finished(-1, nothing, count)
    }
  }

  // MARK: Source

  private func headerBytes() throws(PackError) -> [UInt8] {
    switch origin {
    case .model(let model):
      var bytes: [UInt8] = []
      for part in model.parts { bytes += try SourceGaps.read(part, 0..<min(part.header.dataOffset, part.byteCount)) }
      return bytes
    case .rows(let pack), .blobs(let pack): return try PackFile.contents(pack.path + "/" + Pack.FileName.header)
    }
  }

  /// The source's gaps; none if they are all zero.
  private func gapBytes() throws(PackError) -> [UInt8] {
    switch origin {
    case .model(let model):
      let gaps = try SourceGaps(model)
      return gaps.isZero ? [] : gaps.bytes
    case .rows(let pack), .blobs(let pack):
      return pack.manifest.gapByteCount == 0 ? [] : try PackFile.contents(pack.path + "/" + Pack.FileName.gaps)
    }
  }

  private var sourceParts: [PackManifest.SourcePart] {
    switch origin {
    case .model(let model):
      model.parts.map {
        .init(
          name: String($0.path.split(separator: "/").last ?? ""), byteCount: $0.byteCount,
          headerByteCount: min($0.header.dataOffset, $0.byteCount))
      }
    case .rows(let pack), .blobs(let pack): pack.manifest.source
    }
  }

  /// What a journal must agree on: the arrangement, the source's headers, and which files they are.
  private func purpose(_ header: [UInt8]) throws(PackError) -> Digest {
    let nothing = WrittenBlob(chunks: [], digest: Digest(of: []), storage: nil)
    let manifest = arrangement.manifest(
      writer: writer, source: sourceParts, gapByteCount: 0, blobs: arrangement.blobs.map { _ in nothing })
    var bytes = try manifest.json() + header
    if case .model(let model) = origin {
      for part in model.parts {
        let attributes = try? FileManager.default.attributesOfItem(atPath: part.path)
        let modified = (attributes?[.modificationDate] as? Date)?.timeIntervalSinceReferenceDate ?? 0
        bytes += Array("\(part.path) \(modified)".utf8)
      }
    }
    return Digest(of: bytes)
  }

  private static func write(_ bytes: [UInt8], to folder: String, _ name: String) throws(PackError) -> Digest {
    try OutputFile.write(bytes, to: folder + "/" + name)
    return Digest(of: bytes)
  }
}

extension PackManifest {
  /// The manifest as the JSON document of `pack.json`: sorted keys, without white space.
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
