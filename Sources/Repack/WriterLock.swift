// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import PackFormat

/// A lock that one run at a time holds while it writes a result: on an empty file beside the result, which is removed with this value.
///
/// The lock is not on the folder that is written, because that folder takes the result's name at the end, and because network filesystems
/// do not lock folders.
struct WriterLock: ~Copyable {
  /// The folder of the lock and of the result.
  let folder: Folder<PackError>
  private let name: String
  private let lock: FileLock

  /// Takes the lock on the file `name` in `folder`, creating the file unless a killed run has left it.
  ///
  /// - Throws: `PackError` if another run holds the lock.
  init(_ name: String, at place: borrowing Destination<PackError>, of destination: String) throws(PackError) {
    let folder = try Folder<PackError>(place.folder.path)
    let lock = try Self.take(name, folder, destination)
    self.folder = folder
    self.lock = lock
    self.name = name
  }

  // The file is removed before the lock is released. A run that opened it in the meantime finds that it is no longer at this path.
  deinit { try? folder.remove(name) }

  private static func take(
    _ name: String, _ folder: borrowing Folder<PackError>, _ destination: String
  ) throws(PackError) -> FileLock {
    while true {
      switch try FileLock.onFile(name, in: folder) {
      case .taken(let lock): return lock
      case .held: throw .invalid(file: destination, problem: "another run is writing it; wait for it, or stop it")
      // The previous holder has removed the file: try again with a new one.
      case .replaced: continue
      }
    }
  }
}
