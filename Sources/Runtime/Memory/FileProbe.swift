// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux
import Glibc

/// A probe of how the kernel maps a file of weights, tried on three of its huge pages.
package struct FileProbe: ~Copyable {
  /// The page size that was found; the worst of the pages tried.
  package enum Mapping: Int, Comparable {
    /// Pages of 2 MiB.
    case huge
    /// Small pages, because the page cache holds the file in small pages. Once dropped and read again, it may be mapped in huge ones.
    case cachedSmall
    /// Small pages for an unknown reason: the kernel does not tell a user without write permission how the file is cached.
    case unknownSmall
    /// Small pages: this filesystem or this kernel supports no others.
    case small

    package static func < (a: Mapping, b: Mapping) -> Bool { a.rawValue < b.rawValue }
  }

  private let kernel: Kernel
  private let window: AddressReservation

  /// Reserves the addresses of one huge page for the probe.
  package init(_ kernel: Kernel) throws(RuntimeError) {
    self.kernel = kernel
    window = try AddressReservation(byteCount: MappedBlob.hugePage, alignment: MappedBlob.hugePage)
  }

  /// Returns how the file at `path` is mapped; nil if it has no whole huge page or cannot be mapped.
  ///
  /// - Parameter node: The node on which pages that have to be read are cached.
  package func mapping(of path: String, byteCount: Int, node: Int) -> Mapping? {
    let count = byteCount / MappedBlob.hugePage
    guard count > 0 else { return nil }
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard file >= 0 else { return nil }
    defer { close(file) }
    _ = kernel.setPolicy(.preferred(node))
    defer { _ = kernel.setPolicy(.standard) }
    let maySee = PageCache.maySeeCache(path)
    var worst: Mapping?
    for page in Set([0, count / 2, count - 1]) {
      guard let found = mapping(file, page * MappedBlob.hugePage, maySee) else { return nil }
      worst = max(worst ?? found, found)
    }
    return worst
  }

  private func mapping(_ file: CInt, _ offset: Int, _ maySee: Bool) -> Mapping? {
    let range = window.range
    guard unsafe kernel.map(range, protection: PROT_READ, flags: MAP_SHARED, file: file, offset: offset) == 0 else { return nil }
    // Drop from the cache what was read for this probe. The kernel reads two huge pages and marks one for read-ahead; when it meets that
    // mark later, it continues in small pages.
    let wasCached = kernel.residency(of: range)?.contains(true) ?? true
    defer {
      window.clear()
      if !wasCached { posix_fadvise(file, off_t(offset), off_t(2 * MappedBlob.hugePage), POSIX_FADV_DONTNEED) }
    }
    _ = kernel.advise(range, CL_MADV_HUGEPAGE)
    if kernel.advise(range, CL_MADV_POPULATE_READ) == 0, MemoryMap.read(range).hugeByteCount == range.count { return .huge }
    guard maySee else { return .unknownSmall }
    return wasCached ? .cachedSmall : .small
  }
}
