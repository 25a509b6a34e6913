// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux
import PackFormat
import SystemPackage

/// A file that is written at given positions, and closed once.
struct OutputFile: ~Copyable, Sendable {
  let path: String
  private let descriptor: FileDescriptor

  /// Opens the file at `path`, or creates one if there is none, and leaves what is in it.
  init(keeping path: String) throws(PackError) {
    descriptor = try Self.open(path, isNew: false)
    self.path = path
  }

  /// Creates the file at `path`, which must not exist unless `isNew` is false, and reserves space for `byteCount` bytes.
  init(_ path: String, byteCount: Int, isNew: Bool = true) throws(PackError) {
    descriptor = try Self.create(path, byteCount, isNew)
    self.path = path
  }

  deinit { try? descriptor.close() }

  private static func open(_ path: String, isNew: Bool) throws(PackError) -> FileDescriptor {
    do {
      return try FileDescriptor.open(
        FilePath(path), .readWrite,
        options: isNew ? [.create, .exclusiveCreate, .closeOnExec] : [.create, .noFollow, .closeOnExec],
        permissions: [.ownerReadWrite, .groupRead, .otherRead])
    } catch {
      throw .system(file: path, operation: "create it", reason: reason(error))
    }
  }

  private static func create(_ path: String, _ byteCount: Int, _ isNew: Bool) throws(PackError) -> FileDescriptor {
    let descriptor = try open(path, isNew: isNew)
    // What an interrupted run left may be longer.
    if !isNew { try? descriptor.resize(to: Int64(byteCount)) }
    let error = cl_reserve(descriptor.rawValue, Int64(byteCount))
    guard error == 0 else {
      try? descriptor.close()
      throw .system(file: path, operation: "reserve \(byteCount) bytes for it", reason: Errno(rawValue: error).description)
    }
    return descriptor
  }

  /// Writes all of `bytes` at `offset`.
  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(PackError) {
    do {
      _ = try unsafe descriptor.writeAll(toAbsoluteOffset: Int64(offset), bytes)
    } catch {
      throw .system(file: path, operation: "write it at byte \(offset)", reason: Self.reason(error))
    }
  }

  /// Fills `buffer` with what was written at `offset`; zeros where nothing was.
  func read(_ offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(PackError) {
    do {
      var filled = 0
      while filled < buffer.count {
        let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
        let count = try unsafe descriptor.read(fromAbsoluteOffset: Int64(offset + filled), into: rest)
        guard count > 0 else {
          unsafe rest.initializeMemory(as: UInt8.self, repeating: 0)
          return
        }
        filled += count
      }
    } catch {
      throw .system(file: path, operation: "read it at byte \(offset)", reason: Self.reason(error))
    }
  }

  /// Cuts off what lies behind the first `byteCount` bytes.
  func truncate(to byteCount: Int) throws(PackError) {
    do {
      try descriptor.resize(to: Int64(byteCount))
    } catch {
      throw .system(file: path, operation: "cut it to \(byteCount) bytes", reason: Self.reason(error))
    }
  }

  /// The digest of the bytes in `range`, which are read again.
  func digest(_ range: Range<Int>) throws(PackError) -> Digest {
    guard var stream = DigestStream() else { throw .system(file: path, operation: "hash it", reason: "there is no memory") }
    var buffer = ByteBuffer(capacity: 1 << 20)
    for start in stride(from: range.lowerBound, to: range.upperBound, by: 1 << 20) {
      let count = min(1 << 20, range.upperBound - start)
      try unsafe read(start, into: buffer.bytes(count))
      buffer.withBytes(count) { stream.update($0) }
    }
    return stream.digest
  }

  /// Waits until the disk has everything.
  func synchronize() throws(PackError) {
    let error = cl_synchronize(descriptor.rawValue)
    guard error == 0 else {
      throw .system(file: path, operation: "write it to the disk", reason: Errno(rawValue: error).description)
    }
  }

  /// Writes `bytes` to the file at `path`, replacing what is in it, down to the disk.
  static func write(_ bytes: [UInt8], to path: String) throws(PackError) {
    let file = try OutputFile(path, byteCount: bytes.count, isNew: false)
    try unsafe bytes.span.bytes.withUnsafeBytes { (buffer) throws(PackError) in try unsafe file.write(buffer, at: 0) }
    try file.synchronize()
  }

  static func reason(_ error: any Error) -> String { (error as? Errno)?.description ?? "\(error)" }
}
