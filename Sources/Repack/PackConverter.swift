// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import GGUF
import PackFormat

/// Writes a pack from a model, or from another pack for a different number of nodes or in another storage.
///
/// The blobs are made chunk by chunk on all CPUs, so that reading, interleaving, hashing and writing overlap. Whatever the model's size,
/// memory holds one chunk per thread and the rows that it is made from.
public struct PackConverter: Sendable {
  private let source: any PackSource
  private let draft: ManifestDraft
  /// The name of the writer in the manifest.
  public var writer = "ggufpack"
  /// The number of working threads. The default is as many as fit in 512 MiB of memory.
  public var threads: Int
  /// The libzstd level for compressing blobs; nil stores them uncompressed.
  public var compressionLevel: Int?
  /// Whether to resume what an interrupted run has left, and to keep the finished work if this run is interrupted.
  public var resumes = false

  /// The content bytes that share a digest, which one thread makes at a time.
  static let chunkByteCount = 8 << 20

  /// A converter of `model` that follows `plan`.
  public init(_ model: GGUFModel, plan: PackPlan) {
    self.init(ModelSource(model: model), ManifestDraft(plan, chunkByteCount: Self.chunkByteCount))
  }

  /// A converter of `pack` that follows `plan`; the original GGUF is not needed.
  public init(_ pack: Pack, plan: PackPlan) {
    self.init(PackRows(pack: pack), ManifestDraft(plan, chunkByteCount: Self.chunkByteCount))
  }

  /// A converter of `pack` that keeps the content of its blobs and only changes whether it is stored compressed.
  public init(storing pack: Pack) {
    self.init(PackBlobs(pack: pack), ManifestDraft(pack.manifest))
  }

  private init(_ source: any PackSource, _ draft: ManifestDraft) {
    self.source = source
    self.draft = draft
    threads = Scratch.threads(for: draft.tensors)
  }

  /// The bytes of blob content that `run` makes.
  public var byteCount: Int { draft.byteCount }

  /// Writes the pack to the folder `path`.
  ///
  /// - Parameters:
  ///   - replacing: Whether an existing pack is replaced, atomically at the end.
  ///   - progress: Called with the bytes written since the last call, on any thread, one call at a time. An error that it throws ends the
  /// run.
  ///   - prepare: Called once it is certain that the pack can be written there, before the source's weights are read. An error that it
  /// throws ends the run.
  /// - Throws: `PackError`. Nothing of the pack remains then, unless `resumes` is set.
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
    // All-zero gaps get no file, unless there are more zeros than a reader accepts without one.
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
    // If a source file changed during the run, the pack would mix two states of it.
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

  /// Returns the digest of everything that a journal must agree on: the draft, the source, and the storage.
  private func purpose(_ header: Excerpt) throws(PackError) -> Digest {
    let nothing = WrittenBlob(chunks: [], digest: Digest(of: []), storage: nil)
    let manifest = draft.manifest(
      writer: writer, source: source.parts, gapByteCount: 0, blobs: draft.blobs.map { _ in nothing })
    let storage = compressionLevel.map { "zstd \($0)" } ?? ""
    return Digest(of: manifest.json + Array((try header.digest().hex + storage + source.identity).utf8))
  }
}
