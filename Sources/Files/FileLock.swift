// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux
import Glibc
import SystemPackage

/// An exclusive lock on a file or a folder. The lock ends with this value, or with the process, however that ends.
package struct FileLock: ~Copyable, Sendable {
  private let owned: OwnedDescriptor

  /// The outcome of trying to take a lock.
  package enum Attempt: ~Copyable {
    case taken(FileLock)
    /// Another process holds it.
    case held
    /// The locked file is no longer at its path: its previous holder removed it in the meantime.
    case replaced
  }

  /// Tries to lock the file `name` in `folder`, creating it if needed; does not wait.
  ///
  /// On a filesystem without locks, this succeeds and keeps no other process out.
  package static func onFile<Failure: FileFailure>(
    _ name: String, in folder: borrowing Folder<Failure>
  ) throws(Failure) -> Attempt {
    try take(try folder.file(name, for: .updating, permissions: .ownerReadWrite).intoDescriptor(), name, folder)
  }

  /// Tries to lock the folder `name` in `folder`; does not wait.
  package static func onFolder<Failure: FileFailure>(
    _ name: String, in folder: borrowing Folder<Failure>
  ) throws(Failure) -> Attempt {
    try take(try folder.folder(name).intoDescriptor(), name, folder)
  }

  private static func take<Failure: FileFailure>(
    _ owned: consuming OwnedDescriptor, _ name: String, _ folder: borrowing Folder<Failure>
  ) throws(Failure) -> Attempt {
    if cl_lock(owned.descriptor.rawValue) == EWOULDBLOCK { return .held }
    let descriptor = owned.descriptor
    let mine = try Failure.wrapping(folder.path(name), .look) { try descriptor.stat() }
    guard let found = try folder.status(name), found.inode == mine.inode, found.deviceID == mine.deviceID else {
      return .replaced
    }
    return .taken(FileLock(owned: owned))
  }
}

extension File {
  /// Gives up the file for its descriptor.
  consuming func intoDescriptor() -> OwnedDescriptor { owned }
}

extension Folder {
  /// Gives up the folder for its descriptor.
  consuming func intoDescriptor() -> OwnedDescriptor { owned }
}
