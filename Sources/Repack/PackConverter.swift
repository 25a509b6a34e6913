// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

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
  /// Threads that work: as many as 512 MiB of memory allow, unless set.
  public var threads: Int
  /// libzstd's level with which blobs are compressed; nil stores them as they are.
  public var compressionLevel: Int?
  /// Goes on with what an interrupted run has left, and leaves what it has done if it is interrupted itself.
  public var resumes = false

  /// Bytes of a blob that share a digest, and that one thread makes at a time.
  static let chunkByteCount = 8 << 20

  /// A converter of `model` as `plan` says.
  public init(_ model: GGUFModel, plan: PackPlan) {
    origin = .model(model)
    arrangement = Arrangement(plan, chunkByteCount: Self.chunkByteCount)
    threads = Scratch.threads(for: arrangement.tensors)
  }

  /// A converter of `pack`, without its source, as `plan` says.
  public init(_ pack: Pack, plan: PackPlan) {
    origin = .rows(pack)
    arrangement = Arrangement(plan, chunkByteCount: Self.chunkByteCount)
    threads = Scratch.threads(for: arrangement.tensors)
  }

  /// A converter of `pack` that keeps the content of its blobs, and stores it compressed or as it is.
  public init(storing pack: Pack) {
    origin = .blobs(pack)
    arrangement = Arrangement(pack.manifest)
    threads = Scratch.threads(for: arrangement.tensors)
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
    let (header, gaps) = (headerExcerpt, gapExcerpt)
    try staging.requireSpace(byteCount + header.byteCount)
    staging.keepsUnfinished = resumes
    var digests: [String: Digest] = [:]
    let journal = resumes ? try Journal(in: staging.path, purpose: try purpose(header)) : nil
    if journal?.written.isEmpty ?? false { try staging.clear(keeping: Journal.fileName) }
    func check() throws(PackError) { try progress(0) }
    digests[Pack.FileName.header] = try header.copy(to: staging.path + "/" + Pack.FileName.header, check)
    // Zeros are not worth a file.
    let keepsGaps = !(try gaps.isZero(check))
    if keepsGaps {
      try staging.requireSpace(byteCount + header.byteCount + gaps.byteCount)
      digests[Pack.FileName.gaps] = try gaps.copy(to: staging.path + "/" + Pack.FileName.gaps, check)
    }

    let written = try writeBlobs(to: staging.path, journal, progress)
    for (blob, result) in zip(arrangement.blobs, written) { digests[blob.file] = result.digest }
    let manifest = arrangement.manifest(
      writer: writer, source: sourceParts, gapByteCount: keepsGaps ? gaps.byteCount : 0, blobs: written)
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
      let content = arrangement.blobs[index].content
      switch origin {
      case .model(let model):
        let filler = BlobFiller(try GGUFSource(model), tensors: arrangement.tensors, blob: content)
        written.append(try write(filler, index, folder, journal, progress))
      case .rows(let pack):
        let filler = BlobFiller(try PackTensorSource(pack), tensors: arrangement.tensors, blob: content)
        written.append(try write(filler, index, folder, journal, progress))
      case .blobs(let pack):
        written.append(try write(ExistingContent(reader: try BlobReader(pack, blob: index)), index, folder, journal, progress))
      }
    }
    return written
  }

  private func write(
    _ content: borrowing some BlobContent & ~Copyable, _ index: Int, _ folder: String, _ journal: Journal?,
    _ progress: (Int) throws(PackError) -> Void
  ) throws(PackError) -> WrittenBlob {
    let blob = arrangement.blobs[index]
    let path = folder + "/" + blob.file
    guard let compressionLevel else {
      let earlier = journal?.written.chunks[index] ?? [:]
      let writer = PlainBlobWriter(
        path: path, byteCount: blob.byteCount, chunkByteCount: arrangement.chunkByteCount, threads: threads, written: earlier,
        isNew: !resumes)
      return try writer.write(content) { (chunk, digest, count) throws(PackError) in
        if earlier[chunk] != digest { try journal?.note(blob: index, chunk: chunk, digest) }
        try progress(count)
      }
    }
    let writer = CompressedBlobWriter(
      path: path, byteCount: blob.byteCount, chunkByteCount: arrangement.chunkByteCount, threads: threads, level: compressionLevel,
      written: journal?.written.sections[index] ?? [:])
    func note(_ section: Int, _ written: Journal.WrittenSection) throws(PackError) {
      try journal?.note(blob: index, section: section, written)
    }
    return try writer.write(
      content, sections: arrangement.sections(of: blob.content), note: journal == nil ? nil : note, finished: progress)
  }

  // MARK: Source

  /// What becomes `header.gguf`.
  private var headerExcerpt: Excerpt {
    switch origin {
    case .model(let model):
      Excerpt(
        pieces: model.parts.map { .init(path: $0.path, range: 0..<min($0.header.dataOffset, $0.byteCount)) }, followsLinks: true)
    case .rows(let pack), .blobs(let pack):
      Self.file(Pack.FileName.header, of: pack, byteCount: pack.manifest.source.reduce(0) { $0 + $1.headerByteCount })
    }
  }

  /// What becomes `gaps.bin`, unless it is all zero.
  private var gapExcerpt: Excerpt {
    switch origin {
    case .model(let model): SourceGaps.excerpt(of: model)
    case .rows(let pack), .blobs(let pack): Self.file(Pack.FileName.gaps, of: pack, byteCount: pack.manifest.gapByteCount)
    }
  }

  private static func file(_ name: String, of pack: Pack, byteCount: Int) -> Excerpt {
    Excerpt(pieces: byteCount == 0 ? [] : [.init(path: pack.path + "/" + name, range: 0..<byteCount)], followsLinks: false)
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
  private func purpose(_ header: Excerpt) throws(PackError) -> Digest {
    let nothing = WrittenBlob(chunks: [], digest: Digest(of: []), storage: nil)
    let manifest = arrangement.manifest(
      writer: writer, source: sourceParts, gapByteCount: 0, blobs: arrangement.blobs.map { _ in nothing })
    var bytes = try manifest.json() + Array(try header.digest().hex.utf8)
    if let compressionLevel { bytes += Array("zstd \(compressionLevel)".utf8) }
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
