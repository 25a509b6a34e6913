// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc

/// The space of a filesystem, in bytes.
package struct FilesystemSpace {
  /// The bytes that this user can still allocate.
  package let free: Int
  /// The total size.
  package let size: Int
  /// The size of one block.
  package let unit: Int

  /// Asks the filesystem of `path`; nil if it does not say.
  package init?(_ path: String) {
    var status = statvfs()
    guard unsafe statvfs(path, &status) == 0 else { return nil }
    self.init(status)
  }

  /// Takes the answer of `statvfs`; nil for filesystems that report no blocks, as some network filesystems do.
  init?(_ status: statvfs) {
    unit = Int(clamping: status.f_frsize)
    guard status.f_blocks > 0, let free = Int(clamping: status.f_bavail).multiplied(by: unit),
      let size = Int(clamping: status.f_blocks).multiplied(by: unit)
    else { return nil }
    self.free = free
    self.size = size
  }
}
