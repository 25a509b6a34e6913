// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux
import Glibc

/// How the kernel maps a file that weights lie in, tried on three of its huge pages.
package struct FileProbe: ~Copyable {
  /// What was found; the worst of the pages tried.
  package enum Mapping: Int, Comparable {
    /// Pages of 2 MiB.
    case huge
    /// Small pages, because the page cache holds the file so; read again after it is dropped, it may be mapped in huge ones.
    case cachedSmall
    /// Small pages, and whether only because the file is cached so, the kernel does not tell a user who may not write it.
    case unknownSmall
    /// Small pages: this filesystem or this kernel has no others.
    case small

    package static func < (a: Mapping, b: Mapping) -> Bool { a.rawValue < b.rawValue }
  }

  private let kernel: Kernel
  private let window: AddressReservation

  package init(_ kernel: Kernel) throws(RuntimeError) {
    self.kernel = kernel
    window = try AddressReservation(byteCount: MappedBlob.hugePage, alignment: MappedBlob.hugePage)
  }

  /// How the file at `path` is mapped; nil if it has no whole huge page or cannot be mapped.
  ///
  /// - Parameter node: The node on which the pages that are read are to be cached.
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
    // The cache drops what was read for this: the kernel reads two huge pages and marks one, and where it meets that mark later,
    // it reads on in small ones.
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
