/// Reads a whole pack and holds it against its digests.
public struct PackVerifier: Sendable {
  /// The pack, whose manifest and header have been checked already.
  public let pack: Pack
  /// Threads that read and hash.
  public var threads = OrderedWork.availableThreads

  /// A verifier of `pack`.
  public init(_ pack: Pack) { self.pack = pack }

  /// Bytes that `run` reads.
  public var byteCount: Int {
    pack.manifest.blobs.reduce(pack.manifest.gapByteCount) { $0 + $1.byteCount }
  }

  /// Reads every blob once, and checks the digest of each chunk and of the file.
  ///
  /// - Parameter progress: Called with the bytes read since the last call, on any thread, one call at a time.
  /// - Returns: What is damaged, in order: a `PackError.damaged` for each chunk, and for a file whose own digest alone is wrong.
  /// - Throws: `PackError` if a file cannot be read.
  public func run(progress: (Int) -> Void = { _ in }) throws(PackError) -> [PackError] {
    var damage: [PackError] = []
    for blob in pack.manifest.blobs {
      damage += try check(blob.file, byteCount: blob.byteCount, chunks: blob.chunks, progress: progress)
    }
    if pack.manifest.gapByteCount > 0 {
      damage += try check(Pack.FileName.gaps, byteCount: pack.manifest.gapByteCount, chunks: nil, progress: progress)
    }
    return damage
  }

  private struct Reader: ~Copyable {
    var buffer: ByteBuffer
    var digest: Digest?
  }

  private func check(_ name: String, byteCount: Int, chunks: [Digest]?, progress: (Int) -> Void) throws(PackError) -> [PackError] {
    let path = pack.path + "/" + name
    let file = try PositionedFile(path)
    let size = pack.manifest.chunkByteCount
    guard var whole = DigestStream() else {
      throw .system(file: path, operation: "hash it", reason: "there is no memory")
    }
    var damage: [PackError] = []
    @Sendable func range(_ chunk: Int) -> Range<Int> { chunk * size..<min(byteCount, (chunk + 1) * size) }

    try OrderedWork(count: (byteCount + size - 1) / size, threads: threads).run {
      Reader(buffer: ByteBuffer(capacity: min(size, byteCount)))
    } work: { (chunk, reader) throws(PackError) in
      let range = range(chunk)
      try unsafe reader.buffer.withMutableBytes(range.count) { (bytes) throws(PackError) in
        try unsafe file.read(range.lowerBound, into: bytes)
      }
      reader.digest = chunks == nil ? nil : reader.buffer.withBytes(range.count) { Digest(of: $0) }
    } finish: { (chunk, reader) throws(PackError) in
      let range = range(chunk)
      reader.buffer.withBytes(range.count) { whole.update($0) }
      if let chunks, reader.digest != chunks[chunk] { damage.append(.damaged(file: path, chunk: chunk, range: range)) }
      progress(range.count)
    }
    if damage.isEmpty, whole.digest != pack.checksums.digests[name] {
      damage.append(.damaged(file: path, chunk: nil, range: 0..<byteCount))
    }
    return damage
  }
}
