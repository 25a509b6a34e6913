// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import Glibc
import SystemPackage

/// A folder of pinned replicas that only this user controls: the user's folder in a filesystem in memory, or a pack's folder within it.
///
/// Any user can put folders and links into such a filesystem. So each level is opened without following links, its owner and mode are
/// checked after it is open, and its entries are reached through its descriptor.
struct PinnedFolder: ~Copyable {
  let folder: Folder<RuntimeError>

  /// Opens this user's folder in `place`; nil if there is none.
  static func ofUser(in place: PinnedReplicas.Place) throws(RuntimeError) -> PinnedFolder? {
    // A filesystem that is not mounted holds nothing.
    guard let mount = try? Folder<RuntimeError>(place.path), try mount.status(PinnedReplicas.userFolderName) != nil else {
      return nil
    }
    return try PinnedFolder(PinnedReplicas.userFolderName, in: mount)
  }

  /// Opens this user's folder in `place`, creating it if needed.
  static func makeOfUser(in place: PinnedReplicas.Place) throws(RuntimeError) -> PinnedFolder {
    let mount = try Folder<RuntimeError>(place.path)
    return try make(PinnedReplicas.userFolderName, in: mount)
  }

  /// Removes this user's folder from `place` if it is empty and belongs to the user.
  static func removeOfUser(from place: PinnedReplicas.Place) {
    guard let mount = try? Folder<RuntimeError>(place.path), let user = try? ofUser(in: place),
      (try? user.folder.names().isEmpty) == true
    else { return }
    unsafe unlinkat(mount.descriptor.rawValue, PinnedReplicas.userFolderName, AT_REMOVEDIR)
  }

  /// - Throws: `RuntimeError.file` if it is a link, belongs to another user, or is writable by other users.
  private init(_ name: String, in parent: borrowing Folder<RuntimeError>) throws(RuntimeError) {
    let folder = try parent.folder(name)
    if let problem = Self.problem(try folder.status()) {
      throw .file(path: folder.path, operation: "use it", reason: problem)
    }
    self.folder = folder
  }

  private static func make(_ name: String, in parent: borrowing Folder<RuntimeError>) throws(RuntimeError) -> PinnedFolder {
    if try parent.status(name) == nil {
      do throws(RuntimeError) {
        try parent.makeFolder(name, permissions: [.ownerReadWriteExecute])
      } catch {
        // Another process of this user may have created it in the meantime; its owner is checked below.
        guard try parent.status(name) != nil else { throw error }
      }
    }
    return try PinnedFolder(name, in: parent)
  }

  /// Opens the folder `name` in it.
  func folder(_ name: String) throws(RuntimeError) -> PinnedFolder { try PinnedFolder(name, in: folder) }

  /// Opens the folder `name` in it, creating it if needed.
  func makeFolder(_ name: String) throws(RuntimeError) -> PinnedFolder { try Self.make(name, in: folder) }

  consuming func intoFolder() -> Folder<RuntimeError> { folder }

  private static func problem(_ status: Stat) -> String? {
    guard status.userID.rawValue == geteuid() else {
      return "it belongs to user \(status.userID.rawValue), who may put anything there; remove it, or have it removed"
    }
    guard status.permissions.rawValue & 0o022 == 0 else { return "users other than its owner may write to it" }
    return nil
  }
}
