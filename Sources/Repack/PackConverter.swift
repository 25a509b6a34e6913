// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import GGUF
import PackFormat

/// Writes a pack: of a model, or of another pack, for other nodes or in another storage.
///
/// The blobs are made chunk by chunk on all CPUs: read, interleave, hash and write overlap, and memory holds a chunk and the rows
/// that it is made of for each thread, whatever the model's size.
public struct PackConverter: Sendable {
  private let source: any PackSource
  private let draft: ManifestDraft
  /// What the manifest calls the writer.
  public var writer = "ggufpack"
  /// Threads that work: as many as 512 MiB of memory allow, unless set.
  public var threads: Int
  /// libzstd's level with which blobs are compressed; nil stores them as they are.
  public var compressionLevel: Int?
  /// Resumes what an interrupted run has left, and keeps what is done if this run is interrupted.
  public var resumes = false

  /// Bytes of a blob that share a digest, and that one thread makes at a time.
  static let chunkByteCount = 8 << 20

  /// A converter of `model` as `plan` says.
  public init(_ model: GGUFModel, plan: PackPlan) {
    self.init(ModelSource(model: model), ManifestDraft(plan, chunkByteCount: Self.chunkByteCount))
  }

  /// A converter of `pack`, without its source, as `plan` says.
  public init(_ pack: Pack, plan: PackPlan) {
    self.init(PackRows(pack: pack), ManifestDraft(plan, chunkByteCount: Self.chunkByteCount))
  }

  /// A converter of `pack` that keeps the content of its blobs, and stores it compressed or as it is.
  public init(storing pack: Pack) {
    self.init(PackBlobs(pack: pack), ManifestDraft(pack.manifest))
  }

  private init(_ source: any PackSource, _ draft: ManifestDraft) {
    self.source = source
    self.draft = draft
    threads = Scratch.threads(for: draft.tensors)
  }

  /// Bytes of blobs that `run` makes.
  public var byteCount: Int { draft.byteCount }

  /// Writes the pack to the folder `path`.
  ///
  /// - Parameters:
  ///   - replacing: Whether a pack that is there is replaced, in one step at the end.
  ///   - progress: Called with the bytes written since the last call, on any thread, one call at a time; what it throws ends the run.
  ///   - prepare: Called once it is certain that the pack can be written there, before the source's weights are read; what it throws
  ///     ends the run.
  /// - Throws: `PackError`; then nothing is left of the pack, unless it `resumes`.
  public func run(
    to path: String, replacing: Bool = false, progress: (Int) throws(PackError) -> Void = { _ in },
    prepare: () throws(PackError) -> Void = {}
  ) throws(PackError) {
    var staging = try Staging(for: path, .pack, replacing: replacing, resuming: resumes)
    let (header, gaps) = (source.header, source.gaps)
    try staging.requireSpace(byteCount + header.byteCount)
    try prepare()
    staging.keepsUnfinished = resumes
    let journal = resumes ? try Journal(in: staging.folder, purpose: try purpose(header)) : nil
    if journal?.written.isEmpty ?? false { try staging.folder.removeEntries(except: Journal.fileName) }
    func check() throws(PackError) { try progress(0) }
    var digests = [Pack.FileName.header: try header.copy(to: Pack.FileName.header, in: staging.folder, check)]
    // Zeros get no file of their own, unless there are more of them than a reader accepts without one.
    let data = draft.tensors.reduce(0) { $0 + ($1.byteCount ?? 0) }
    let keepsGaps = gaps.byteCount - data > PackManifest.impliedZeroLimit ? true : !(try gaps.isZero(check))
    if keepsGaps {
      try staging.requireSpace(byteCount + header.byteCount + gaps.byteCount)
      digests[Pack.FileName.gaps] = try gaps.copy(to: Pack.FileName.gaps, in: staging.folder, check)
    }

    var written: [WrittenBlob] = []
    for (index, blob) in draft.blobs.enumerated() {
      written.append(try write(index, in: staging.folder, journal, progress))
      digests[blob.file] = written[index].digest
    }
    let manifest = draft.manifest(
      writer: writer, source: source.parts, gapByteCount: keepsGaps ? gaps.byteCount : 0, blobs: written
    ).json
    digests[Pack.FileName.manifest] = Digest(of: manifest)
    try staging.folder.write(manifest, to: Pack.FileName.manifest)
    try staging.folder.write(Array(Checksums(digests).text.utf8), to: Checksums.fileName)
    // A pack of two states of a file would be a pack of neither.
    try source.checkUnchanged()
    try staging.commit(removing: [Journal.fileName])
  }

  private func write(
    _ index: Int, in folder: borrowing Folder<PackError>, _ journal: Journal?, _ progress: (Int) throws(PackError) -> Void
  ) throws(PackError) -> WrittenBlob {
    let blob = draft.blobs[index]
    let content = try source.content(of: index, draft)
    let file = try folder.file(blob.file, for: resumes ? .updating : .creating)
    guard let compressionLevel else {
      let earlier = journal?.written.chunks[index] ?? [:]
      let writer = PlainBlobWriter(
        byteCount: blob.byteCount, chunkByteCount: draft.chunkByteCount, threads: threads, written: earlier)
      return try writer.write(content, to: file) { (chunk, digest, count) throws(PackError) in
        if earlier[chunk] != digest { try journal?.note(blob: index, chunk: chunk, digest) }
        try progress(count)
      }
    }
    let writer = CompressedBlobWriter(
      chunkByteCount: draft.chunkByteCount, threads: threads, level: compressionLevel,
      written: journal?.written.sections[index] ?? [:])
    func note(_ section: Int, _ written: Journal.WrittenSection) throws(PackError) {
      try journal?.note(blob: index, section: section, written)
    }
    return try writer.write(
      content, sections: draft.sections(of: blob.content), to: file, note: journal == nil ? nil : note, finished: progress)
  }

  /// What a journal must agree on: the draft, the source, and how it is stored.
  private func purpose(_ header: Excerpt) throws(PackError) -> Digest {
    let nothing = WrittenBlob(chunks: [], digest: Digest(of: []), storage: nil)
    let manifest = draft.manifest(
      writer: writer, source: source.parts, gapByteCount: 0, blobs: draft.blobs.map { _ in nothing })
    let storage = compressionLevel.map { "zstd \($0)" } ?? ""
    return Digest(of: manifest.json + Array((try header.digest().hex + storage + source.identity).utf8))
  }
}
