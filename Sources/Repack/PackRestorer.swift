import GGUF
import PackFormat

/// Makes the source of a pack again, bit for bit.
public struct PackRestorer: Sendable {
  /// The pack.
  public let pack: Pack
  /// Threads that work.
  public var threads = OrderedWork.availableThreads

  private static let chunkByteCount = 8 << 20

  /// A restorer of `pack`'s source.
  public init(_ pack: Pack) { self.pack = pack }

  /// Bytes of the source's files.
  public var byteCount: Int { pack.manifest.source.reduce(0) { $0 + $1.byteCount } }

  /// Writes the source.
  ///
  /// - Parameters:
  ///   - path: The file to write; for a split source the folder that gets its parts under their own names.
  ///   - replacing: Whether what is there is replaced.
  ///   - progress: Called with the bytes written since the last call, one call at a time.
  /// - Throws: `PackError`; then nothing is left of the result.
  public func run(to path: String, replacing: Bool = false, progress: (Int) -> Void = { _ in }) throws(PackError) {
    let isSplit = pack.manifest.source.count > 1
    var staging = try Staging(for: path, replacing: replacing)
    if !isSplit { staging.result = .file(pack.manifest.source[0].name) }
    for index in pack.manifest.source.indices {
      let part = pack.manifest.source[index]
      let file = try OutputFile(staging.path + "/" + part.name, byteCount: part.byteCount)
      try unsafe forEachChunk(of: index) { (range, bytes) throws(PackError) in
        try unsafe file.write(bytes, at: range.lowerBound)
      } finish: {
        progress($0.count)
      }
      try file.synchronize()
    }
    try staging.commit()
  }

  /// Compares the source that the pack would restore with the files of `model`, without writing.
  ///
  /// - Throws: `PackError.invalid` that names the first file and byte that differ.
  public func compare(with model: GGUFModel, progress: (Int) -> Void = { _ in }) throws(PackError) {
    guard model.parts.count == pack.manifest.source.count else {
      throw .invalid(
        file: model.parts[0].path,
        problem: "this model has \(model.parts.count) files, and the pack was made from \(pack.manifest.source.count)")
    }
    for (index, part) in model.parts.enumerated() {
      let expected = pack.manifest.source[index].byteCount
      guard part.byteCount == expected else {
        throw .invalid(file: part.path, problem: "it has \(part.byteCount) bytes, and the pack was made from \(expected)")
      }
      let file = try PositionedFile(part.path, followsLinks: true)
      try unsafe forEachChunk(of: index) { (range, bytes) throws(PackError) in
        var buffer = ByteBuffer(capacity: range.count)
        let difference = try unsafe buffer.withMutableBytes(range.count) { (other) throws(PackError) -> Int? in
          try unsafe file.read(range.lowerBound, into: other)
          return unsafe other.elementsEqual(bytes) ? nil : zip(other, bytes).enumerated().first { $1.0 != $1.1 }?.offset
        }
        if let difference {
          throw .invalid(
            file: part.path, problem: "at byte \(range.lowerBound + difference): it differs from what the pack was made from")
        }
      } finish: {
        progress($0.count)
      }
    }
  }

  private struct Worker: ~Copyable {
    var chunk: ByteBuffer
    var rows = ByteBuffer(capacity: 0)
  }

  /// Makes every chunk of source part `index` on all threads.
  private func forEachChunk(
    of index: Int, work: @Sendable (Range<Int>, UnsafeRawBufferPointer) throws(PackError) -> Void, finish: (Range<Int>) -> Void
  ) throws(PackError) {
    let source = try SourceBytes(pack, part: index)
    let size = Self.chunkByteCount
    let byteCount = pack.manifest.source[index].byteCount
    @Sendable func range(_ chunk: Int) -> Range<Int> { chunk * size..<min(byteCount, (chunk + 1) * size) }
    try OrderedWork(count: (byteCount + size - 1) / size, threads: threads).run {
      Worker(chunk: ByteBuffer(capacity: min(size, byteCount)))
    } work: { (chunk, worker) throws(PackError) in
      let range = range(chunk)
      try unsafe worker.chunk.withMutableBytes(range.count) { (bytes) throws(PackError) in
        try unsafe source.fill(range, into: bytes, &worker.rows)
        try unsafe work(range, UnsafeRawBufferPointer(bytes))
      }
    } finish: { (chunk, _) throws(PackError) in
      finish(range(chunk))
    }
  }
}
