// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import GGUF
import Glibc
import PackFormat

/// Restores the GGUF that a pack was made from, bit for bit.
public struct PackRestorer: Sendable {
  /// The pack.
  public let pack: Pack
  /// The number of working threads.
  public var threads: Int

  /// The bytes of a file that one thread makes at a time.
  private static let pieceByteCount = 4 << 20

  /// A restorer of `pack`'s source.
  public init(_ pack: Pack) {
    self.pack = pack
    threads = Scratch.threads(for: pack.manifest.tensors)
  }

  /// The bytes of all files of the source.
  public var byteCount: Int { pack.manifest.source.reduce(0) { $0 + $1.byteCount } }

  /// Whether the source was split, so that the result is a folder.
  public var isSplit: Bool { pack.manifest.source.count > 1 }

  /// Writes the source to `path`: one file, or if it was split, a folder of files with their original names.
  ///
  /// The digests of the pack are not checked here; `PackVerifier` does that.
  /// - Parameters:
  ///   - replacing: Whether an existing result is replaced, atomically at the end.
  ///   - progress: Called with the bytes written since the last call, on any thread, one call at a time.
  ///   - prepare: Called once it is certain that the files can be written there, before weights are read. An error that it throws ends the
  /// run.
  /// - Throws: `PackError`. Nothing of the files remains then.
  public func run(
    to path: String, replacing: Bool = false, progress: (Int) throws(PackError) -> Void = { _ in },
    prepare: () throws(PackError) -> Void = {}
  ) throws(PackError) {
    let staging = try Staging(for: path, isSplit ? .models : .file(pack.manifest.source[0].name), replacing: replacing)
    try staging.requireSpace(byteCount)
    try prepare()
    let filler = try SourceFiller(pack)
    for (index, part) in pack.manifest.source.enumerated() {
      let file = try staging.file(part.name)
      try file.reserve(part.byteCount)
      try unsafe forEachPiece(of: index, filler) { (range, bytes) throws(PackError) in
        try unsafe file.write(UnsafeRawBufferPointer(bytes), at: range.lowerBound)
      } finish: { (range) throws(PackError) in
        try progress(range.count)
      }
      try file.synchronize()
    }
    try pack.checkUnchanged()
    try staging.commit()
  }

  /// Compares the source's files with the pack, byte for byte, and writes nothing.
  ///
  /// - Parameters:
  ///   - model: The files.
  ///   - progress: Called with the bytes compared since the last call, on any thread, one call at a time.
  /// - Throws: `PackError.invalid` with the file and the offset of the first byte that differs.
  public func compare(with model: GGUFModel, progress: (Int) throws(PackError) -> Void = { _ in }) throws(PackError) {
    let paths = model.parts.map(\.path)
    guard paths.count == pack.manifest.source.count else {
      throw .invalid(
        file: paths[0],
        problem: "this model has \(paths.count) files, but the pack was made from \(pack.manifest.source.count)")
    }
    let filler = try SourceFiller(pack)
    for (index, part) in pack.manifest.source.enumerated() {
      let file = try File<PackError>(paths[index], links: .followed)
      let found = try file.byteCount()
      guard found == part.byteCount else {
        throw .invalid(file: file.path, problem: "it has \(found) bytes, but the pack was made from a file of \(part.byteCount)")
      }
      try unsafe forEachPiece(of: index, filler) { (range, bytes) throws(PackError) in
        try unsafe Self.compare(bytes, with: file, at: range.lowerBound)
      } finish: { (range) throws(PackError) in
        try progress(range.count)
      }
    }
  }

  private static func compare(
    _ bytes: UnsafeMutableRawBufferPointer, with file: borrowing File<PackError>, at offset: Int
  ) throws(PackError) {
    var found = ByteBuffer(capacity: bytes.count)
    let other = unsafe found.bytes(bytes.count)
    try unsafe file.read(offset, into: other)
    guard unsafe !bytes.elementsEqual(other, upTo: bytes.count) else { return }
    let place = unsafe zip(bytes, other).enumerated().first { $0.element.0 != $0.element.1 }?.offset ?? 0
    throw .invalid(file: file.path, problem: "at byte \(offset + place): it differs from what the pack was made from")
  }

  private struct Worker: ~Copyable {
    var bytes: ByteBuffer
    var scratch: Scratch
  }

  /// Makes part `part` piece by piece on all threads. `work` gets each piece on any thread; `finish` gets their ranges in order.
  private func forEachPiece(
    of part: Int, _ filler: borrowing SourceFiller,
    work: @Sendable (Range<Int>, UnsafeMutableRawBufferPointer) throws(PackError) -> Void,
    finish: (Range<Int>) throws(PackError) -> Void
  ) throws(PackError) {
    let byteCount = pack.manifest.source[part].byteCount
    let size = Self.pieceByteCount
    @Sendable func range(_ index: Int) -> Range<Int> { index * size..<min(byteCount, (index + 1) * size) }
    try OrderedWork(count: byteCount.pieceCount(of: size), threads: threads).run {
      () throws(PackError) in
      Worker(bytes: ByteBuffer(capacity: min(size, byteCount)), scratch: try Scratch())
    } work: { (index, worker) throws(PackError) in
      let range = range(index)
      let bytes = unsafe worker.bytes.bytes(range.count)
      try unsafe filler.fill(part: part, range, into: bytes, &worker.scratch)
      try unsafe work(range, bytes)
    } finish: { (index, _) throws(PackError) in
      try finish(range(index))
    }
  }
}

extension UnsafeMutableRawBufferPointer {
  /// Returns whether the first `count` bytes of both are equal.
  fileprivate func elementsEqual(_ other: UnsafeMutableRawBufferPointer, upTo count: Int) -> Bool {
    guard let mine = baseAddress, let theirs = other.baseAddress else { return count == 0 }
    return unsafe memcmp(mine, theirs, count) == 0
  }
}
