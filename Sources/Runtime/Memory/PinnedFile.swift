// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import Glibc
import SystemPackage

/// A file in memory (tmpfs, hugetlbfs) that keeps a replica between runs.
enum PinnedFile {
  /// Creates a file of whole huge pages that only its owner can open.
  static func create(
    _ name: String, in folder: borrowing Folder<RuntimeError>, byteCount: Int
  ) throws(RuntimeError) -> File<RuntimeError> {
    let file = try folder.file(name, for: .creating, permissions: .ownerReadWrite)
    try file.resize(to: byteCount)
    return file
  }

  /// Returns the reason why a file cannot serve as a replica of `byteCount` bytes; nil if it can.
  ///
  /// It must be a regular file of this user or of root with mode 0400.
  static func problem(_ status: Stat?, byteCount: Int) -> String? {
    guard let status else { return "it is missing" }
    guard status.type == .regular else { return "it is not a regular file" }
    let owner = status.userID.rawValue
    guard owner == geteuid() || owner == 0 else { return "it belongs to user \(owner)" }
    guard status.permissions.rawValue & 0o777 == 0o400 else {
      return "users other than its owner may open it, or it may be written to"
    }
    guard Int(status.size) >= byteCount else { return "it has \(status.size) bytes, fewer than the blob's \(byteCount)" }
    return nil
  }
}
