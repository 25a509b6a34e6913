// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Memory that one thread fills again and again, page-aligned so that direct reads can fill it.
///
/// - Invariant: `base` owns `capacity` initialised bytes, freed once; buffers and spans handed out are not used after the call that they
///   were made for.
@safe public struct ByteBuffer: ~Copyable {
  private var base: UnsafeMutableRawPointer
  /// The size in bytes.
  public private(set) var capacity: Int

  /// Allocates `capacity` bytes of zeros.
  public init(capacity: Int) {
    self.capacity = max(capacity, 1)
    unsafe base = .allocate(byteCount: self.capacity, alignment: 4096)
    unsafe base.initializeMemory(as: UInt8.self, repeating: 0, count: self.capacity)
  }

  deinit { unsafe base.deallocate() }

  /// Makes room for at least `count` bytes. If the buffer has to grow, its content is lost.
  public mutating func reserve(_ count: Int) {
    guard count > capacity else { return }
    unsafe base.deallocate()
    capacity = count
    unsafe base = .allocate(byteCount: count, alignment: 4096)
    unsafe base.initializeMemory(as: UInt8.self, repeating: 0, count: count)
  }

  /// Returns the first `count` bytes, growing the buffer if needed. They stay valid until the next call that makes room.
  public mutating func bytes(_ count: Int) -> UnsafeMutableRawBufferPointer {
    reserve(count)
    return unsafe UnsafeMutableRawBufferPointer(start: base, count: count)
  }

  /// Calls `body` with the first `count` bytes, for writing.
  public mutating func withMutableBytes<Result, Failure: Error>(
    _ count: Int, _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    precondition(count >= 0 && count <= capacity)
    return try unsafe body(UnsafeMutableRawBufferPointer(start: base, count: count))
  }

  /// Calls `body` with the first `count` bytes, for reading.
  public func withBytes<Result, Failure: Error>(
    _ count: Int, _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    precondition(count >= 0 && count <= capacity)
    return try unsafe body(RawSpan(_unsafeStart: base, byteCount: count))
  }
}
