// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files

/// Reads a whole pack and checks it against its digests.
public struct PackVerifier: Sendable {
  /// The pack, whose manifest and header have been checked already.
  public let pack: Pack
  /// Threads that read and hash.
  public var threads = OrderedWork.availableThreads

  /// Bytes that are read at a time: they are hashed while they are still in the cache.
  private static let pieceByteCount = 1 << 18
  /// The same for compressed content: many frames, but not a chunk of any size that a manifest may ask for.
  private static let compressedPieceByteCount = 1 << 23

  /// A verifier of `pack`.
  public init(_ pack: Pack) { self.pack = pack }

  /// Bytes that `run` checks: the blobs' content and, of compressed ones, the files too.
  public var byteCount: Int {
    pack.manifest.blobs.reduce(pack.manifest.gapByteCount) { sum, blob in
      sum + blob.byteCount + (blob.storage.flatMap { BlobStorage.Map($0)?.storedByteCount } ?? 0)
    }
  }

  /// Reads every blob, and checks the digest of each chunk; of a compressed blob that of its file too.
  ///
  /// The digest of a plain blob's file needs no check of its own: it is in the manifest, which has been checked, beside the
  /// digests of the chunks that make up the file.
  /// - Parameter progress: Called with the bytes read since the last call, on any thread, one call at a time; what it throws ends
  ///   the run.
  /// - Returns: What is damaged, in order: a `PackError.damaged` for each chunk or file.
  /// - Throws: `PackError` if a file cannot be read.
  public func run(progress: (Int) throws(PackError) -> Void = { _ in }) throws(PackError) -> [PackError] {
    var damage: [PackError] = []
    for index in pack.manifest.blobs.indices {
      let blob = pack.manifest.blobs[index]
      let chunks = try check(blob: index, progress)
      damage += chunks
      guard let map = blob.storage.flatMap({ BlobStorage.Map($0) }) else { continue }
      let file = try check(file: blob.file, byteCount: map.storedByteCount, digest: blob.digest, progress)
      // The chunks say more about the place. Bits that unpacking does not look at are found by the file's digest alone.
      if chunks.isEmpty { damage += file }
    }
    if pack.manifest.gapByteCount > 0, let digest = pack.checksums.digests[Pack.FileName.gaps] {
      damage += try check(file: Pack.FileName.gaps, byteCount: pack.manifest.gapByteCount, digest: digest, progress)
    }
    return damage
  }

  private struct Reader: ~Copyable {
    var buffer = ByteBuffer(capacity: 0)
    var codec: FrameCodec
    var digest: Digest?

    init() throws(PackError) { codec = try FrameCodec() }
  }

  /// The chunks of a blob's content.
  private func check(blob index: Int, _ progress: (Int) throws(PackError) -> Void) throws(PackError) -> [PackError] {
    let blob = pack.manifest.blobs[index]
    let reader = try BlobReader(pack, blob: index)
    let size = pack.manifest.chunkByteCount
    let byteCount = blob.byteCount
    var damage: [PackError] = []
    @Sendable func range(_ chunk: Int) -> Range<Int> { chunk * size..<min(byteCount, (chunk + 1) * size) }

    try OrderedWork(count: blob.chunks.count, threads: threads).run {
      () throws(PackError) in
      try Reader()
    } work: { (chunk, state) throws(PackError) in
      do throws(PackError) {
        state.digest = try Self.digest(of: reader, range(chunk), &state)
      } catch {
        // Frames that do not unpack are damage of this chunk; there may be more.
        guard case .invalid = error, reader.isCompressed else { throw error }
        state.digest = nil
      }
    } finish: { (chunk, state) throws(PackError) in
      if state.digest != blob.chunks[chunk] {
        damage.append(.damaged(file: reader.path, chunk: chunk, range: reader.storedRange(of: range(chunk))))
      }
      try progress(range(chunk).count)
    }
    return damage
  }

  private static func digest(
    of reader: borrowing BlobReader, _ range: Range<Int>, _ state: inout Reader
  ) throws(PackError) -> Digest {
    var stream = try DigestStream()
    // Frames are unpacked whole: a piece holds many, so that few are unpacked twice.
    let step = reader.isCompressed ? compressedPieceByteCount : pieceByteCount
    for start in stride(from: range.lowerBound, to: range.upperBound, by: max(step, 1)) {
      let count = min(step, range.upperBound - start)
      try unsafe reader.read(start, into: state.buffer.bytes(count), &state.codec)
      state.buffer.withBytes(count) { stream.update($0) }
    }
    return stream.digest
  }

  /// A file as it lies on the disk.
  private func check(
    file name: String, byteCount: Int, digest: Digest, _ progress: (Int) throws(PackError) -> Void
  ) throws(PackError) -> [PackError] {
    let file = try File<PackError>(pack.path + "/" + name, links: .followed)
    var stream = try DigestStream()
    var buffer = ByteBuffer(capacity: 0)
    for start in stride(from: 0, to: byteCount, by: Self.pieceByteCount) {
      let count = min(Self.pieceByteCount, byteCount - start)
      try unsafe file.read(start, into: buffer.bytes(count))
      buffer.withBytes(count) { stream.update($0) }
      try progress(count)
    }
    return stream.digest == digest ? [] : [.damaged(file: file.path, chunk: nil, range: 0..<byteCount)]
  }
}
