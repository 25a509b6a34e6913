// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux
import Glibc
import SystemPackage

/// An open regular file, read and written at explicit offsets and closed once.
///
/// Any number of threads may read and write at once. Errors are thrown as `Failure`, the error type of the caller's module.
package struct File<Failure: FileFailure>: ~Copyable, Sendable {
  /// The path it was opened by.
  package let path: String
  let owned: OwnedDescriptor

  /// Opens the file at `path`.
  package init(
    _ path: String, for use: FileUse = .reading, links: Links = .refused, permissions: FilePermissions = .standard
  ) throws(Failure) {
    do throws(FileError) {
      owned = try .file(path, in: AT_FDCWD, path: path, for: use, links: links, permissions: permissions)
    } catch {
      throw Failure(error)
    }
    self.path = path
  }

  /// Takes an open file.
  init(_ owned: consuming OwnedDescriptor, path: String) {
    self.owned = owned
    self.path = path
  }

  /// The descriptor, for calls that this type does not wrap.
  package var descriptor: FileDescriptor { owned.descriptor }

  // MARK: Measuring

  /// Returns the status of the file.
  package func status() throws(Failure) -> Stat {
    try Failure.wrapping(path, .look) { try descriptor.stat() }
  }

  /// Its size in bytes.
  package func byteCount() throws(Failure) -> Int { Int(try status().size) }

  // MARK: Reading

  /// Fills `buffer` with the bytes from `offset`. Throws `cutShort` if the file ends before the buffer is full.
  package func read(_ offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(Failure) {
    let count = try unsafe readAvailable(offset, into: buffer)
    guard count == buffer.count else { throw Failure(.cutShort(path: path, end: offset + count)) }
  }

  /// Reads bytes from `offset` into `buffer`, as many as the file has.
  ///
  /// - Returns: The number of bytes read.
  package func readAvailable(_ offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(Failure) -> Int {
    var filled = 0
    while filled < buffer.count {
      let count = try Failure.wrapping(path, .read(at: offset + filled)) {
        try unsafe descriptor.read(fromAbsoluteOffset: Int64(offset + filled), into: buffer[bytes: filled..<buffer.count])
      }
      guard count > 0 else { break }
      filled += count
    }
    return filled
  }

  /// Extends `bytes`, which holds the beginning of the file, to `count` bytes, or to the whole file if it is shorter.
  package func extend(_ bytes: inout [UInt8], to count: Int) throws(Failure) {
    let start = bytes.count
    guard count > start else { return }
    bytes += try unsafe [UInt8](unsafeUninitializedCapacity: count - start) { (buffer, filled) throws(Failure) in
      filled = try unsafe readAvailable(start, into: UnsafeMutableRawBufferPointer(buffer))
    }
  }

  /// Returns all bytes of the file. Throws `tooLong` if there are more than `limit`.
  package func contents(limit: Int) throws(Failure) -> [UInt8] {
    let size = try byteCount()
    guard size <= limit else { throw Failure(.tooLong(path: path, byteCount: size, limit: limit)) }
    var bytes: [UInt8] = []
    try extend(&bytes, to: size)
    return bytes
  }

  // MARK: Writing

  /// Writes all of `bytes` at `offset`.
  package func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(Failure) {
    _ = try Failure.wrapping(path, .write(at: offset)) {
      try unsafe descriptor.writeAll(toAbsoluteOffset: Int64(offset), bytes)
    }
  }

  /// Writes all of `bytes` at `offset`.
  package func write(_ bytes: [UInt8], at offset: Int) throws(Failure) {
    try unsafe bytes.span.bytes.withUnsafeBytes { (buffer) throws(Failure) in try unsafe write(buffer, at: offset) }
  }

  /// Makes the file `byteCount` bytes long.
  package func resize(to byteCount: Int) throws(Failure) {
    try Failure.wrapping(path, .resize(to: byteCount)) { try descriptor.resize(to: Int64(byteCount)) }
  }

  /// Makes the file `byteCount` bytes long and reserves disk space for them.
  package func reserve(_ byteCount: Int) throws(Failure) {
    try resize(to: byteCount)
    try Failure.check(cl_reserve(descriptor.rawValue, Int64(byteCount)), path, .reserve(byteCount: byteCount))
  }

  /// Waits until everything written is on the disk.
  package func synchronize() throws(Failure) {
    try Failure.check(fsync(descriptor.rawValue) == 0 ? 0 : errno, path, .synchronize)
  }
}

extension FilePermissions {
  /// Readable by everyone, writable by the owner.
  package static var standard: FilePermissions { [.ownerReadWrite, .groupRead, .otherRead] }
}

extension Stat {
  /// Returns the status of the file at `path`, or nil if there is none.
  package static func find<Failure: FileFailure>(
    _ path: String, links: Links = .followed, failingAs _: Failure.Type
  ) throws(Failure) -> Stat? {
    var status = stat()
    let result = unsafe path.withPath { unsafe fstatat(AT_FDCWD, $0, &status, links == .refused ? AT_SYMLINK_NOFOLLOW : 0) }
    if result == 0 { return Stat(rawValue: status) }
    if errno == ENOENT { return nil }
    throw Failure(.system(path: path, operation: .look, Errno(rawValue: errno)))
  }

  /// What changes when the file is written to, or when another file takes its place.
  package var identity: FileIdentity {
    FileIdentity(
      device: UInt64(rawValue.st_dev), inode: UInt64(rawValue.st_ino), byteCount: Int(size),
      modified: [rawValue.st_mtim.tv_sec, rawValue.st_mtim.tv_nsec])
  }
}

/// Which file something was read from, and in what state: its size and the time of its last change.
public struct FileIdentity: Hashable, Sendable {
  let device: UInt64
  let inode: UInt64
  /// The size of the file in bytes.
  package let byteCount: Int
  /// Seconds and nanoseconds of the last modification.
  let modified: [Int]
}
