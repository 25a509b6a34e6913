// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc

/// What a filesystem has, in bytes.
struct FilesystemSpace {
  /// What this user can still take.
  let free: Int
  /// All of it.
  let size: Int
  /// Bytes of one of its blocks.
  let unit: Int

  /// Asks for the filesystem of `path`; nil if it does not say, as filesystems without blocks do not.
  init?(_ path: String) {
    var status = statvfs()
    guard unsafe statvfs(path, &status) == 0, status.f_blocks > 0 else { return nil }
    unit = Int(clamping: status.f_frsize)
    let (free, isTooMuch) = Int(clamping: status.f_bavail).multipliedReportingOverflow(by: unit)
    let (size, isTooLarge) = Int(clamping: status.f_blocks).multipliedReportingOverflow(by: unit)
    guard !isTooMuch, !isTooLarge else { return nil }
    self.free = free
    self.size = size
  }
}
