// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux
import FoundationEssentials
import PackFormat
import SystemPackage

/// What one run at a time holds while it writes a result: a lock on an empty file, which goes when this value does.
///
/// Not on the folder that is written: it takes the result's name at the end, and network filesystems lock no folders.
struct WriterLock: ~Copyable {
  let descriptor: FileDescriptor
  private let path: String

  /// Takes the lock on the file at `path`, which is made unless a killed run has left it.
  ///
  /// - Throws: `PackError` if another run holds it.
  init(_ path: String, of destination: String) throws(PackError) {
    self.path = path
    descriptor = try Self.take(path, destination)
  }

  deinit {
    // Before it is let go: whoever has opened it meanwhile sees that it is no longer the one at this path.
    try? FileManager.default.removeItem(atPath: path)
    try? descriptor.close()
  }

  private static func take(_ path: String, _ destination: String) throws(PackError) -> FileDescriptor {
    while true {
      let file: FileDescriptor
      do {
        file = try FileDescriptor.open(
          FilePath(path), .readWrite, options: [.create, .noFollow, .closeOnExec], permissions: [.ownerReadWrite])
      } catch {
        throw .system(file: path, operation: "create it", reason: OutputFile.reason(error))
      }
      // A filesystem without locks gives another errno: there, one has to see to it oneself.
      guard cl_lock(file.rawValue) != Errno.wouldBlock.rawValue else {
        try? file.close()
        throw .invalid(file: destination, problem: "another run is writing it; wait for it, or stop it")
      }
      if let held = try? file.stat(), let found = try? FilePath(path).stat(), held.inode == found.inode { return file }
      // Its holder has removed it: once more, with a new one.
      try? file.close()
    }
  }
}
