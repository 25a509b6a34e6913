// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc
import SystemPackage

/// A file in memory (tmpfs, hugetlbfs) that holds a replica between runs.
enum PinnedFile {
  /// Makes a new file of whole huge pages that nobody but its owner can open.
  static func create(_ path: String, byteCount: Int) throws(RuntimeError) -> FileDescriptor {
    do {
      let file = try FileDescriptor.open(
        FilePath(path), .readWrite, options: [.create, .exclusiveCreate, .noFollow, .closeOnExec], permissions: .ownerReadWrite)
      guard ftruncate(file.rawValue, off_t(byteCount)) == 0 else {
        let reason = Kernel.text(errno)
        try? file.close()
        throw RuntimeError.file(path: path, operation: "make it \(ByteCount(byteCount)) large", reason: reason)
      }
      return file
    } catch let error as RuntimeError {
      throw error
    } catch {
      throw .file(path: path, operation: "create it", reason: (error as? Errno)?.description ?? "\(error)")
    }
  }

  /// What speaks against using a file as a replica of `byteCount` bytes; nil if nothing does.
  ///
  /// It must be a regular file of this user that nobody can write.
  static func problem(_ path: String, byteCount: Int) -> String? {
    var status = stat()
    guard unsafe lstat(path, &status) == 0 else { return "it is missing: \(Kernel.text(errno))" }
    guard status.st_mode & S_IFMT == S_IFREG else { return "it is no regular file" }
    guard status.st_uid == geteuid() || status.st_uid == 0 else { return "it belongs to user \(status.st_uid)" }
    guard status.st_mode & 0o777 == 0o400 else { return "others than its owner may open it, or it may be written" }
    guard Int(status.st_size) >= byteCount else { return "it has \(status.st_size) bytes, fewer than the blob's \(byteCount)" }
    return nil
  }
}
