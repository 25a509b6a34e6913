// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files

/// Reads a whole pack and checks it against its digests.
public struct PackVerifier: Sendable {
  /// The pack to check; its manifest and headers have been validated.
  public let pack: Pack
  /// The number of threads that read and hash.
  public var threads = OrderedWork.availableThreads

  /// The bytes read at a time: few enough to be hashed while they are still in the cache.
  private static let pieceByteCount = 1 << 18
  /// The same for compressed content: many frames at a time, but bounded, because a manifest may ask for chunks of any size.
  private static let compressedPieceByteCount = 1 << 23

  /// A verifier of `pack`.
  public init(_ pack: Pack) { self.pack = pack }

  /// The bytes that `run` checks: the content of the blobs and, for compressed blobs, their files as well.
  public var byteCount: Int {
    pack.manifest.blobs.reduce(pack.manifest.gapByteCount) { sum, blob in
      sum + blob.byteCount + (blob.storage == nil ? 0 : blob.storedByteCount)
    }
  }

  /// Reads every blob and checks the digest of each chunk; for a compressed blob, the digest of its file as well.
  ///
  /// For a plain blob, the chunks make up the whole file, so its file digest needs no separate check.
  /// - Parameter progress: Called with the bytes read since the last call, on any thread, one call at a time. An error that it throws ends
  ///   the run.
  /// - Returns: The damage found, in order: a `PackError.damaged` for each chunk or file.
  /// - Throws: `PackError` if a file cannot be read.
  public func run(progress: (Int) throws(PackError) -> Void = { _ in }) throws(PackError) -> [PackError] {
    var damage: [PackError] = []
    for index in pack.manifest.blobs.indices {
      let blob = pack.manifest.blobs[index]
      let chunks = try check(blob: index, progress)
      damage += chunks
      guard blob.storage != nil else { continue }
      let file = try check(file: blob.file, byteCount: blob.storedByteCount, digest: blob.digest, progress)
      // The chunks locate the damage better. Only the file's digest catches bits that unpacking ignores.
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

  /// Checks the chunks of a blob's content and returns the damaged ones.
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
        // A frame that cannot be unpacked is damage of this chunk. Go on, because other chunks may be damaged too.
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
    // Frames are unpacked whole. A piece spans many of them, so that few are unpacked twice.
    let step = reader.isCompressed ? compressedPieceByteCount : pieceByteCount
    for start in stride(from: range.lowerBound, to: range.upperBound, by: max(step, 1)) {
      let count = min(step, range.upperBound - start)
      try unsafe reader.read(start, into: state.buffer.bytes(count), &state.codec)
      state.buffer.withBytes(count) { stream.update($0) }
    }
    return stream.digest
  }

  /// Checks a file as stored on disk and returns its damage.
  private func check(
    file name: String, byteCount: Int, digest: Digest, _ progress: (Int) throws(PackError) -> Void
  ) throws(PackError) -> [PackError] {
    let file = try File<PackError>(pack.path.entry(name), links: .followed)
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
