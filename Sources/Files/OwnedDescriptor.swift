// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux
import Glibc
import SystemPackage

/// What happens if the last component of a path is a symbolic link.
package enum Links: Sendable {
  /// A symbolic link is followed.
  case followed
  /// A symbolic link is an error.
  case refused
}

/// What a file is opened for.
package enum FileUse: Sendable {
  /// Reading.
  case reading
  /// Writing a file that does not exist yet.
  case creating
  /// Writing a file that may exist.
  case updating

  var flags: CInt {
    switch self {
    case .reading: O_RDONLY
    case .creating: O_RDWR | O_CREAT | O_EXCL
    case .updating: O_RDWR | O_CREAT
    }
  }
}

/// A file descriptor that is closed when this value ends.
package struct OwnedDescriptor: ~Copyable, Sendable {
  package let descriptor: FileDescriptor

  init(_ descriptor: FileDescriptor) { self.descriptor = descriptor }

  deinit { try? descriptor.close() }

  /// Opens the regular file `name`. It never blocks on a pipe and never triggers a device.
  static func file(
    _ name: String, in folder: CInt, path: String, for use: FileUse, links: Links, permissions: FilePermissions
  ) throws(FileError) -> OwnedDescriptor {
    let file = try open(name, in: folder, path: path, flags: use.flags | O_NONBLOCK, links: links, permissions: permissions)
    let status: Stat = try FileError.wrapping(path, .look) { try file.descriptor.stat() }
    guard status.type == .regular else { throw .notRegular(path: path) }
    return file
  }

  /// Opens the folder `name`.
  static func folder(_ name: String, in folder: CInt, path: String, links: Links) throws(FileError) -> OwnedDescriptor {
    try open(name, in: folder, path: path, flags: O_RDONLY | O_DIRECTORY, links: links, permissions: [])
  }

  private static func open(
    _ name: String, in folder: CInt, path: String, flags: CInt, links: Links, permissions: FilePermissions
  ) throws(FileError) -> OwnedDescriptor {
    let flags = flags | O_CLOEXEC | (links == .refused ? O_NOFOLLOW : 0)
    while true {
      let file = unsafe name.withPath { unsafe cl_open_at(folder, $0, flags, UInt32(permissions.rawValue)) }
      if file >= 0 { return OwnedDescriptor(FileDescriptor(rawValue: file)) }
      switch Errno(rawValue: -file) {
      case .interrupted: continue
      case .tooManySymbolicLinkLevels where links == .refused: throw .link(path: path)
      case .notDirectory where flags & O_DIRECTORY != 0 && links == .refused && isLink(name, in: folder): throw .link(path: path)
      // A pipe that no process reads, or a socket: neither can be opened for writing.
      case .noSuchAddressOrDevice: throw .notRegular(path: path)
      case let error:
        throw .system(path: path, operation: flags & O_CREAT != 0 ? .create : .open, error)
      }
    }
  }

  private static func isLink(_ name: String, in folder: CInt) -> Bool {
    var status = stat()
    return unsafe name.withPath { unsafe fstatat(folder, $0, &status, AT_SYMLINK_NOFOLLOW) } == 0
      && status.st_mode & S_IFMT == S_IFLNK
  }
}
