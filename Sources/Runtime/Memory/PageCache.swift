// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import Glibc
import SystemPackage

/// Queries about the page cache's copy of a file.
package enum PageCache {
  /// Returns the nodes of the cached pages without bringing in others.
  ///
  /// The result is nil if the file cannot be mapped, or if it belongs to another user, from whom the kernel hides what is cached.
  package static func nodes(_ path: String, kernel: Kernel) -> PageCensus? {
    guard let file = try? FileDescriptor.open(FilePath(path), .readOnly, options: [.closeOnExec, .nonBlocking]) else { return nil }
    defer { try? file.close() }
    guard let size = try? Int(file.seek(offset: 0, from: .end)), size > 0, maySeeCache(path)
    else { return nil }
    var census = PageCensus()
    let window = 16 << 20
    guard let reservation = try? AddressReservation(byteCount: window, alignment: 4096) else { return nil }
    for start in stride(from: 0, to: size, by: window) {
      let length = min(window, size - start).roundedUp(toMultipleOf: 4096)
      let range = reservation.range[0..<length]
      guard unsafe kernel.map(range, protection: PROT_READ, flags: MAP_SHARED, file: file.rawValue, offset: start) == 0,
        let isCached = kernel.residency(of: range)
      else { return nil }
      // move_pages knows only pages in this process's page tables; touching a cached page puts it there.
      for page in isCached.indices where isCached[page] { kernel.touch(range[page * 4096..<page * 4096 + 4096], writing: false) }
      let part = PageCensus.take(range, kernel: kernel)
      census.pages.merge(part.pages, uniquingKeysWith: +)
      census.absent += part.absent
    }
    return census
  }

  /// Returns whether `mincore` can be trusted for the file at `path`.
  ///
  /// For a file that this process may not write, the kernel reports every page as cached. True for a file that does not exist.
  package static func maySeeCache(_ path: String) -> Bool {
    var status = stat()
    return unsafe stat(path, &status) != 0 || status.st_uid == geteuid() || access(path, W_OK) == 0
  }
}
