// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux
import Glibc
import SystemPackage

/// A file that is read into memory with no second copy left in the page cache.
///
/// What is cached already is copied from there; the rest comes straight from the disk into its place (O_DIRECT), or where the
/// filesystem has no such reads, through the page cache, which is asked to forget it.
package final class UncachedFile<Failure: FileFailure>: Sendable {
  private let cached: File<Failure>
  /// The same file, opened for direct reads; -1 if the filesystem has none.
  private let direct: CInt

  /// What offsets, lengths and addresses of direct reads are multiples of: enough for every disk.
  private static var directUnit: Int { 4096 }

  /// Opens the regular file at `path`.
  package init(_ path: String, links: Links = .refused) throws(Failure) {
    let file = try File<Failure>(path, links: links)
    let status = try file.status()
    let direct = unsafe path.withPath { unsafe cl_open_direct($0) }
    cached = file
    // Another file may have taken its place between the two openings.
    if direct >= 0, (try? FileDescriptor(rawValue: direct).stat().identity) != status.identity {
      close(direct)
      self.direct = -1
    } else {
      self.direct = direct
    }
  }

  deinit { if direct >= 0 { close(direct) } }

  /// Fills memory with the file's bytes of `range`.
  ///
  /// - Parameter memory: Begins at a page; has room for `range` rounded up to whole pages. `range` begins at a page.
  package func read(_ range: Range<Int>, into memory: UnsafeMutableRawPointer) throws(Failure) {
    var position = range.lowerBound
    while position < range.upperBound {
      let count = unsafe cl_read_cached(
        cached.descriptor.rawValue, memory + (position - range.lowerBound), Int64(range.upperBound - position), Int64(position))
      guard count > 0 else { break }
      position += Int(count)
    }
    // Direct reads begin at a page: the part of it that was cached is read once more.
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
      // EINVAL: a filesystem that opens files so but does not read them; go on through the page cache.
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
