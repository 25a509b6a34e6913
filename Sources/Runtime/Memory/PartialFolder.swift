// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files

/// A folder of replicas that are still incomplete, locked while the process that fills it lives.
///
/// The kernel drops the lock when the process ends, which distinguishes what a killed process left from what is being filled.
final class PartialFolder: Sendable {
  static let suffix = ".partial"

  let folder: Folder<RuntimeError>
  private let lock: FileLock

  /// Locks the existing folder `name` of `parent`.
  ///
  /// - Throws: `RuntimeError.file` if another process is filling it, or if other users have access to it.
  init(_ name: String, in parent: borrowing PinnedFolder) throws(RuntimeError) {
    let busy = RuntimeError.file(
      path: parent.folder.path(name), operation: "take it", reason: "another process is filling it; wait for it, or stop it")
    switch try FileLock.onFolder(name, in: parent.folder) {
    case .taken(let lock): self.lock = lock
    case .held: throw busy
    // Another process may have removed it as a leftover between the moments when it was created and locked here.
    case .replaced: throw busy
    }
    folder = try parent.folder(name).intoFolder()
  }
}
