// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux
import Glibc
import SystemPackage

/// A file that is read into memory without leaving a second copy in the page cache.
///
/// Bytes that are cached already are copied from the cache. The rest is read from the disk straight into place (O_DIRECT). On a filesystem
/// without direct reads it goes through the page cache, which is then asked to drop it.
package final class UncachedFile<Failure: FileFailure>: Sendable {
  private let cached: File<Failure>
  /// The same file, opened for direct reads; -1 if the filesystem has none.
  private let direct: CInt

  /// The unit in bytes that offsets, lengths and addresses of direct reads are multiples of; large enough for every disk.
  private static var directUnit: Int { 4096 }

  /// Opens the regular file at `path`.
  package init(_ path: String, links: Links = .refused) throws(Failure) {
    let file = try File<Failure>(path, links: links)
    let status = try file.status()
    let direct = unsafe path.withPath { unsafe cl_open_direct($0) }
    cached = file
    // Another file may have taken the path between the two calls that open it.
    if direct >= 0, (try? FileDescriptor(rawValue: direct).stat().identity) != status.identity {
      close(direct)
      self.direct = -1
    } else {
      self.direct = direct
    }
  }

  deinit { if direct >= 0 { close(direct) } }

  /// Fills memory with the file's bytes in `range`.
  ///
  /// - Parameter memory: Page-aligned, with room for `range` rounded up to whole pages. `range` begins at a multiple of the page size.
  package func read(_ range: Range<Int>, into memory: UnsafeMutableRawPointer) throws(Failure) {
    var position = range.lowerBound
    while position < range.upperBound {
      let count = unsafe cl_read_cached(
        cached.descriptor.rawValue, memory + (position - range.lowerBound), Int64(range.upperBound - position), Int64(position))
      guard count > 0 else { break }
      position += Int(count)
    }
    // Direct reads begin at a page, so the cached part of that page is read a second time.
    position = position == range.upperBound ? position : position / Self.directUnit * Self.directUnit
    while position < range.upperBound {
      let count = try unsafe readUncached(position..<range.upperBound, into: memory + (position - range.lowerBound))
      guard count > 0 else { throw Failure(.cutShort(path: cached.path, end: position)) }
      position += count
    }
  }

  private func readUncached(_ range: Range<Int>, into memory: UnsafeMutableRawPointer) throws(Failure) -> Int {
    if direct >= 0, range.lowerBound % Self.directUnit == 0 {
      let whole = range.count.roundedUp(toMultipleOf: Self.directUnit)
      let count = unsafe pread(direct, memory, whole, off_t(range.lowerBound))
      if count > 0 { return min(count, range.count) }
      // EINVAL: the filesystem accepts O_DIRECT when opening but not when reading; fall back to the page cache.
      if count < 0, errno != EINVAL, errno != EINTR { try Failure.check(errno, cached.path, .read(at: range.lowerBound)) }
    }
    let file = cached.descriptor.rawValue
    let count = unsafe pread(file, memory, range.count, off_t(range.lowerBound))
    guard count >= 0 else {
      if errno == EINTR { return try unsafe readUncached(range, into: memory) }
      throw Failure(.system(path: cached.path, operation: .read(at: range.lowerBound), Errno(rawValue: errno)))
    }
    posix_fadvise(file, off_t(range.lowerBound), off_t(count), POSIX_FADV_DONTNEED)
    return count
  }
}
