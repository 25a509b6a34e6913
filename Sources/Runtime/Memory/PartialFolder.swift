// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux
import Glibc

/// A folder of replicas that are not whole yet. It is locked while whoever fills it lives: the kernel drops the lock with the process,
/// so that what a killed one leaves can be told from what is being filled.
struct PartialFolder: ~Copyable {
  static let suffix = ".partial"

  let path: String
  private let descriptor: CInt

  /// Takes the folder at `path`, which is there.
  ///
  /// - Throws: `RuntimeError.file` if another process fills it.
  init(_ path: String) throws(RuntimeError) {
    descriptor = try Self.lock(path)
    self.path = path
  }

  deinit { close(descriptor) }

  private static func lock(_ path: String) throws(RuntimeError) -> CInt {
    let descriptor = unsafe open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard descriptor >= 0 else { throw .file(path: path, operation: "open it", reason: Kernel.text(errno)) }
    var (locked, found) = (stat(), stat())
    // Somebody may have removed it as left behind, between our making and our locking it.
    guard cl_lock(descriptor) == 0, unsafe fstat(descriptor, &locked) == 0, unsafe lstat(path, &found) == 0,
      locked.st_ino == found.st_ino
    else {
      close(descriptor)
      throw .file(path: path, operation: "take it", reason: "another packrun pin is filling it; wait for it, or stop it")
    }
    return descriptor
  }
}
