// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files

/// A folder of replicas that are not whole yet. It is locked while the process that fills it lives: the kernel drops the lock with
/// the process, so what a killed one left can be told from what is being filled.
final class PartialFolder: Sendable {
  static let suffix = ".partial"

  let folder: Folder<RuntimeError>
  private let lock: FileLock

  /// Takes the folder `name` of `parent`, which is there.
  ///
  /// - Throws: `RuntimeError.file` if another process fills it, or if it is not this user's alone.
  init(_ name: String, in parent: borrowing PinnedFolder) throws(RuntimeError) {
    let busy = RuntimeError.file(
      path: parent.folder.path(name), operation: "take it", reason: "another process is filling it; wait for it, or stop it")
    switch try FileLock.onFolder(name, in: parent.folder) {
    case .taken(let lock): self.lock = lock
    case .held: throw busy
    // Another process may have removed it as a leftover after we made it and before we locked it.
    case .replaced: throw busy
    }
    folder = try parent.folder(name).intoFolder()
  }
}
