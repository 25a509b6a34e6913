// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CZstd

/// A codec for the frames of compressed blobs. Each thread has its own.
///
/// - Invariant: libzstd made the contexts, this value alone owns them, and they are freed once.
@safe public struct FrameCodec: ~Copyable {
  private let compressor: OpaquePointer
  private let decompressor: OpaquePointer
  private var planes = ByteBuffer(capacity: 0)
  private var stored = ByteBuffer(capacity: 0)
  private var content = ByteBuffer(capacity: 0)

  /// Creates a codec.
  ///
  /// - Throws: `PackError.noMemory`.
  public init() throws(PackError) {
    guard let compressor = unsafe ZSTD_createCCtx() else { throw .noMemory(purpose: "libzstd") }
    guard let decompressor = unsafe ZSTD_createDCtx() else {
      unsafe ZSTD_freeCCtx(compressor)
      throw .noMemory(purpose: "libzstd")
    }
    unsafe self.compressor = compressor
    unsafe self.decompressor = decompressor
  }

  deinit {
    unsafe ZSTD_freeCCtx(compressor)
    unsafe ZSTD_freeDCtx(decompressor)
  }

  /// The compression levels that libzstd supports.
  public static var levels: ClosedRange<Int> { 1...Int(ZSTD_maxCLevel()) }

  /// Compresses the content of a frame, and puts the result at the front of `target`.
  ///
  /// - Returns: The size of the result in bytes; nil if libzstd fails.
  public mutating func pack(
    _ content: UnsafeRawBufferPointer, planeCount: Int, level: Int, into target: inout ByteBuffer
  ) -> Int? {
    let bound = ZSTD_compressBound(content.count)
    let stored = unsafe target.bytes(bound)
    var source = unsafe content
    if planeCount > 1 {
      let buffer = unsafe planes.bytes(content.count)
      unsafe Self.split(content, planeCount, into: buffer)
      unsafe source = UnsafeRawBufferPointer(buffer)
    }
    let size = unsafe ZSTD_compressCCtx(
      compressor, stored.baseAddress, bound, source.baseAddress, source.count, CInt(level))
    return ZSTD_isError(size) == 0 ? size : nil
  }

  /// Unpacks a frame into `target`, which it must fill exactly; `read` provides the stored bytes.
  ///
  /// - Returns: false if the stored bytes are not a zstd frame with exactly that much content.
  mutating func unpack<Failure: Error>(
    storedByteCount: Int, planeCount: Int, into target: UnsafeMutableRawBufferPointer,
    read: (UnsafeMutableRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) -> Bool {
    stored.reserve(storedByteCount)
    try unsafe stored.withMutableBytes(storedByteCount, read)
    if planeCount == 1 { return unsafe decompress(storedByteCount, into: target) }
    let buffer = unsafe planes.bytes(target.count)
    guard unsafe decompress(storedByteCount, into: buffer) else { return false }
    unsafe Self.join(UnsafeRawBufferPointer(buffer), planeCount, into: target)
    return true
  }

  private func decompress(_ storedByteCount: Int, into target: UnsafeMutableRawBufferPointer) -> Bool {
    stored.withBytes(storedByteCount) { bytes in
      unsafe bytes.withUnsafeBytes {
        unsafe ZSTD_decompressDCtx(decompressor, target.baseAddress, target.count, $0.baseAddress, $0.count) == target.count
      }
    }
  }

  /// Returns memory for a whole frame of which only a part is wanted. It stays valid until the next call.
  mutating func frameBuffer(_ count: Int) -> UnsafeMutableRawBufferPointer {
    unsafe content.bytes(count)
  }

  /// Splits bytes into `count` planes: plane p holds the bytes at offsets p, p + count, p + 2·count and so on. The rest, less than `count`
  /// bytes, follows unchanged.
  static func split(_ content: UnsafeRawBufferPointer, _ count: Int, into planes: UnsafeMutableRawBufferPointer) {
    guard count > 1 else { return unsafe planes.copyMemory(from: content) }
    let length = content.count / count
    for plane in 0..<count {
      for index in 0..<length { unsafe planes[plane * length + index] = unsafe content[index * count + plane] }
    }
    for index in length * count..<content.count { unsafe planes[index] = unsafe content[index] }
  }

  /// Puts the planes made by `split` back together.
  static func join(_ planes: UnsafeRawBufferPointer, _ count: Int, into content: UnsafeMutableRawBufferPointer) {
    guard count > 1 else { return unsafe content.copyMemory(from: planes) }
    let length = content.count / count
    for plane in 0..<count {
      for index in 0..<length { unsafe content[index * count + plane] = unsafe planes[plane * length + index] }
    }
    for index in length * count..<content.count { unsafe content[index] = unsafe planes[index] }
  }
}
