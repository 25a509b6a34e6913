// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import PackFormat

/// What one run at a time holds while it writes a result: a lock on an empty file beside it, which is removed with this value.
///
/// Not on the folder that is written: it takes the result's name at the end, and network filesystems lock no folders.
struct WriterLock: ~Copyable {
  /// The folder of the lock and of the result.
  let folder: Folder<PackError>
  private let name: String
  private let lock: FileLock

  /// Takes the lock on the file `name` of `folder`, which is made unless a killed run has left it.
  ///
  /// - Throws: `PackError` if another run holds it.
  init(_ name: String, at place: borrowing Destination<PackError>, of destination: String) throws(PackError) {
    let folder = try Folder<PackError>(place.folder.path)
    let lock = try Self.take(name, folder, destination)
    self.folder = folder
    self.lock = lock
    self.name = name
  }

  // Before the lock is let go: a run that has opened the file in the meantime sees that it is no longer the one at this path.
  deinit { try? folder.remove(name) }

  private static func take(
    _ name: String, _ folder: borrowing Folder<PackError>, _ destination: String
  ) throws(PackError) -> FileLock {
    while true {
      switch try FileLock.onFile(name, in: folder) {
      case .taken(let lock): return lock
      case .held: throw .invalid(file: destination, problem: "another run is writing it; wait for it, or stop it")
      // Its holder has removed it: once more, with a new one.
      case .replaced: continue
      }
    }
  }
}
