// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux
import Glibc

extension File {
  /// Returns whether the page cache holds all of the file's first `byteCount` bytes; true if the kernel does not say.
  ///
  /// - Complexity: O(pages).
  package func isCached(_ byteCount: Int) -> Bool {
    let cached = cl_cached_bytes(descriptor.rawValue, Int64(byteCount))
    return cached < 0 || cached >= byteCount
  }

  /// Drops the file from the page cache, except for pages that a process has mapped or that are still to be written.
  ///
  /// Reading or writing in pieces fills the cache with small pages, and a file cached in small pages is never mapped in huge ones.
  package func forgetCached() { posix_fadvise(descriptor.rawValue, 0, 0, POSIX_FADV_DONTNEED) }
}
