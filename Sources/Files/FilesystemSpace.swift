// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc

/// What a filesystem has, in bytes.
package struct FilesystemSpace {
  /// What this user can still take.
  package let free: Int
  /// All of it.
  package let size: Int
  /// Bytes of one of its blocks.
  package let unit: Int

  /// Asks for the filesystem of `path`; nil if it does not say.
  package init?(_ path: String) {
    var status = statvfs()
    guard unsafe statvfs(path, &status) == 0 else { return nil }
    self.init(status)
  }

  /// What the operating system says; nil for filesystems that report no blocks, such as a network's.
  init?(_ status: statvfs) {
    unit = Int(clamping: status.f_frsize)
    guard status.f_blocks > 0, let free = Int(clamping: status.f_bavail).multiplied(by: unit),
      let size = Int(clamping: status.f_blocks).multiplied(by: unit)
    else { return nil }
    self.free = free
    self.size = size
  }
}
