// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A piece of memory that one thread fills again and again: aligned to pages, so that files may be read into it past the page cache.
///
/// - Invariant: `base` owns `capacity` initialised bytes, freed once; spans handed out do not outlive a call.
@safe public struct ByteBuffer: ~Copyable {
  private var base: UnsafeMutableRawPointer
  /// Bytes it holds.
  public private(set) var capacity: Int

  /// Zeroed memory of `capacity` bytes.
  public init(capacity: Int) {
    self.capacity = max(capacity, 1)
    unsafe base = .allocate(byteCount: self.capacity, alignment: 4096)
    unsafe base.initializeMemory(as: UInt8.self, repeating: 0, count: self.capacity)
  }

  deinit { unsafe base.deallocate() }

  /// Makes room for `count` bytes; what was in it is lost where it must grow.
  public mutating func reserve(_ count: Int) {
    guard count > capacity else { return }
    unsafe base.deallocate()
    capacity = count
    unsafe base = .allocate(byteCount: count, alignment: 4096)
    unsafe base.initializeMemory(as: UInt8.self, repeating: 0, count: count)
  }

  /// The first `count` bytes, for which it makes room; valid until the next call that makes room, and as long as the buffer lives.
  public mutating func bytes(_ count: Int) -> UnsafeMutableRawBufferPointer {
    reserve(count)
    return unsafe UnsafeMutableRawBufferPointer(start: base, count: count)
  }

  /// The first `count` bytes, to be filled.
  public mutating func withMutableBytes<Result, Failure: Error>(
    _ count: Int, _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    precondition(count >= 0 && count <= capacity)
    return try unsafe body(UnsafeMutableRawBufferPointer(start: base, count: count))
  }

  /// The first `count` bytes, to be read.
  public func withBytes<Result, Failure: Error>(
    _ count: Int, _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    precondition(count >= 0 && count <= capacity)
    return try unsafe body(RawSpan(_unsafeStart: base, byteCount: count))
  }
}
