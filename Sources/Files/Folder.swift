// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux
import Glibc
import SystemPackage

/// An open folder. Its entries are opened, created and removed by name, in this folder even if its path leads elsewhere in the meantime.
///
/// No function follows a symbolic link to reach an entry.
package struct Folder<Failure: FileFailure>: ~Copyable, Sendable {
  /// The path it was opened by, or the name that messages use instead.
  package let path: String
  let owned: OwnedDescriptor

  /// Opens the folder at `path`; the empty path is the current folder.
  package init(_ path: String, links: Links = .followed) throws(Failure) {
    do throws(FileError) {
      owned = try .folder(path.isEmpty ? "." : path, in: AT_FDCWD, path: path, links: links)
    } catch {
      throw Failure(error)
    }
    self.path = path
  }

  private init(_ owned: consuming OwnedDescriptor, path: String) {
    self.owned = owned
    self.path = path
  }

  /// The descriptor, for calls that this type does not wrap.
  package var descriptor: FileDescriptor { owned.descriptor }

  /// Returns the path of the entry `name`.
  package func path(_ name: String) -> String { path.entry(name) }

  // MARK: Entries

  /// Returns the names of all entries, sorted.
  package func names() throws(Failure) -> [String] {
    // A separate descriptor: reading moves its position, and the directory stream closes it.
    let copy = unsafe cl_open_at(descriptor.rawValue, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
    guard copy >= 0, let stream = unsafe fdopendir(copy) else {
      throw Failure(.system(path: path, operation: .list, Errno(rawValue: copy < 0 ? -copy : errno)))
    }
    defer { unsafe closedir(stream) }
    var names: [String] = []
    while let entry = unsafe readdir(stream) {
      let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) { bytes in unsafe String(pathBytes: bytes.prefix { $0 != 0 }) }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// Returns the status of the entry `name`, or nil if there is none. For a symbolic link it is the status of the link itself.
  package func status(_ name: String) throws(Failure) -> Stat? {
    var status = stat()
    if unsafe name.withPath({ unsafe fstatat(descriptor.rawValue, $0, &status, AT_SYMLINK_NOFOLLOW) }) == 0 {
      return Stat(rawValue: status)
    }
    if errno == ENOENT { return nil }
    throw Failure(.system(path: path(name), operation: .look, Errno(rawValue: errno)))
  }

  /// Returns the status of this folder.
  package func status() throws(Failure) -> Stat {
    try Failure.wrapping(path, .look) { try descriptor.stat() }
  }

  /// Opens the regular file `name`; messages call it `shownPath`, or its own path if that is nil.
  package func file(
    _ name: String, for use: FileUse = .reading, permissions: FilePermissions = .standard, shownAs shownPath: String? = nil
  ) throws(Failure) -> File<Failure> {
    let shown = shownPath ?? path(name)
    do throws(FileError) {
      return File(
        try .file(name, in: descriptor.rawValue, path: shown, for: use, links: .refused, permissions: permissions), path: shown)
    } catch {
      throw Failure(error)
    }
  }

  /// Opens the folder `name`; messages call it `shownPath`, or its own path if that is nil.
  package func folder(_ name: String, shownAs shownPath: String? = nil) throws(Failure) -> Folder {
    let shown = shownPath ?? path(name)
    do throws(FileError) {
      return Folder(try .folder(name, in: descriptor.rawValue, path: shown, links: .refused), path: shown)
    } catch {
      throw Failure(error)
    }
  }

  /// Writes `bytes` to the file `name`, replacing its content, and waits until they are on the disk.
  package func write(_ bytes: [UInt8], to name: String) throws(Failure) {
    let file = try file(name, for: .updating)
    try file.reserve(bytes.count)
    try file.write(bytes, at: 0)
    try file.synchronize()
  }

  // MARK: Changes

  /// The error that creating entries here would fail with; nil if this process may create them.
  package var writeRefusal: Errno? {
    unsafe faccessat(descriptor.rawValue, ".", W_OK, AT_EACCESS) == 0 ? nil : Errno(rawValue: errno)
  }

  /// Creates the folder `name`, which must not exist.
  package func makeFolder(_ name: String, permissions: FilePermissions) throws(Failure) {
    try unsafe call(.createFolder, name) { unsafe mkdirat(descriptor.rawValue, $0, permissions.rawValue) }
  }

  /// Removes the entry `name` if it exists: a file, a link, or a folder with everything in it.
  package func remove(_ name: String) throws(Failure) {
    guard let status = try status(name) else { return }
    if status.type == .directory {
      try folder(name).removeEntries()
      try unsafe call(.remove, name) { unsafe unlinkat(descriptor.rawValue, $0, AT_REMOVEDIR) }
    } else {
      try unsafe call(.remove, name) { unsafe unlinkat(descriptor.rawValue, $0, 0) }
    }
  }

  /// Records that the entry `name` was used now, in its modification time. Failing to record it is not an error.
  package func touch(_ name: String) {
    _ = unsafe name.withPath { unsafe utimensat(descriptor.rawValue, $0, nil, AT_SYMLINK_NOFOLLOW) }
  }

  /// Removes all entries except the one called `kept`.
  package func removeEntries(except kept: String? = nil) throws(Failure) {
    for name in try names() where name != kept { try remove(name) }
  }

  /// Renames the entry `name` within this folder, replacing a file that has the new name.
  package func rename(_ name: String, to newName: String) throws(Failure) { try rename(name, to: newName, in: self) }

  /// Moves the entry `name` to `newName` in the folder `target`, replacing a file that has that name.
  package func rename(_ name: String, to newName: String, in target: borrowing Folder) throws(Failure) {
    let (from, to) = (descriptor.rawValue, target.descriptor.rawValue)
    let error = unsafe name.withPath { old in
      unsafe newName.withPath { new in unsafe renameat(from, old, to, new) == 0 ? 0 : errno }
    }
    try Failure.check(error, target.path(newName), .nameResult)
  }

  /// Swaps two entries atomically.
  ///
  /// - Returns: false if the filesystem cannot do that.
  package func exchange(_ name: String, with other: String) throws(Failure) -> Bool {
    let folder = descriptor.rawValue
    let error = unsafe name.withPath { a in unsafe other.withPath { b in unsafe cl_exchange(folder, a, folder, b) } }
    if [EINVAL, ENOSYS, EOPNOTSUPP, EPERM].contains(error) { return false }
    try Failure.check(error, path(other), .replace)
    return true
  }

  private func call(_ operation: FileOperation, _ name: String, _ body: (UnsafePointer<CChar>) -> CInt) throws(Failure) {
    try Failure.check(unsafe name.withPath { unsafe body($0) == 0 ? 0 : errno }, path(name), operation)
  }

  // MARK: The disk

  /// The bytes that this user can still allocate on the filesystem; nil if it does not say.
  package var freeByteCount: Int? {
    var status = statvfs()
    return unsafe fstatvfs(descriptor.rawValue, &status) == 0 ? FilesystemSpace(status)?.free : nil
  }

  /// Waits until the names of all entries are on the disk, if the filesystem supports that.
  package func synchronize() throws(Failure) {
    let error = fsync(descriptor.rawValue) == 0 ? 0 : errno
    if error != EINVAL { try Failure.check(error, path, .synchronize) }
  }
}
