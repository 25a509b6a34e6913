// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux
import Glibc
import SystemPackage

/// A blob's file, read into memory with no second copy left in the page cache.
///
/// What is cached already is copied from there; the rest comes straight from the disk into its place (O_DIRECT), or where the
/// filesystem has no such reads, through the page cache, which is asked to forget it.
final class BlobReader: Sendable {
  private let path: String
  private let cached: FileDescriptor
  private let direct: FileDescriptor?

  /// What offsets, lengths and addresses of direct reads are multiples of: enough for every disk.
  private static let directUnit = 4096

  init(path: String) throws(RuntimeError) {
    self.path = path
    do {
      cached = try FileDescriptor.open(FilePath(path), .readOnly, options: [.noFollow, .closeOnExec])
    } catch {
      throw .file(path: path, operation: "open it", reason: (error as? Errno)?.description ?? "\(error)")
    }
    let file = unsafe cl_open_direct(path)
    direct = file >= 0 ? FileDescriptor(rawValue: file) : nil
  }

  deinit {
    try? cached.close()
    try? direct?.close()
  }

  /// Fills memory with the file's bytes of `range`.
  ///
  /// - Parameter memory: Begins at a page; has room for `range` rounded up to whole pages. `range` begins at a page.
  func read(_ range: Range<Int>, into memory: UnsafeMutableRawPointer) throws(RuntimeError) {
    var position = range.lowerBound
    while position < range.upperBound {
      let count = unsafe Int(
        cl_read_cached(
          cached.rawValue, memory + (position - range.lowerBound), Int64(range.upperBound - position), Int64(position)))
      guard count > 0 else { break }
      position += count
    }
    // Direct reads begin at a page: the part of it that was cached is read once more.
    position = position == range.upperBound ? position : position / Self.directUnit * Self.directUnit
    while position < range.upperBound {
      let count = try unsafe readUncached(position..<range.upperBound, into: memory + (position - range.lowerBound))
      guard count > 0 else {
        throw .file(path: path, operation: "read it", reason: "it ends at byte \(position), before its \(range.upperBound) bytes")
      }
      position += count
    }
  }

  private func readUncached(_ range: Range<Int>, into memory: UnsafeMutableRawPointer) throws(RuntimeError) -> Int {
    if let direct, range.lowerBound % Self.directUnit == 0 {
      let whole = (range.count + Self.directUnit - 1) / Self.directUnit * Self.directUnit
      let count = unsafe pread(direct.rawValue, memory, whole, off_t(range.lowerBound))
      if count > 0 { return min(count, range.count) }
      // EINVAL: a filesystem that opens files so but does not read them; go on through the page cache.
      if count < 0, errno != EINVAL, errno != EINTR { throw failure(errno, at: range.lowerBound) }
    }
    let count = unsafe pread(cached.rawValue, memory, range.count, off_t(range.lowerBound))
    guard count >= 0 else {
      if errno == EINTR { return try unsafe readUncached(range, into: memory) }
      throw failure(errno, at: range.lowerBound)
    }
    posix_fadvise(cached.rawValue, off_t(range.lowerBound), off_t(count), POSIX_FADV_DONTNEED)
    return count
  }

  private func failure(_ error: CInt, at position: Int) -> RuntimeError {
    .file(path: path, operation: "read it at byte \(position)", reason: Kernel.text(error))
  }
}
