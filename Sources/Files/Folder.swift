// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux
import Glibc
import SystemPackage

/// An open folder, whose entries are opened, made and removed by name: whatever happens to its path in the meantime, they belong to this folder.
///
/// No function follows a symbolic link to get at an entry.
package struct Folder<Failure: FileFailure>: ~Copyable, Sendable {
  /// Where it was found, or what messages call it instead.
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

  /// The open folder, for calls that are not here.
  package var descriptor: FileDescriptor { owned.descriptor }

  /// The path of the entry `name`.
  package func path(_ name: String) -> String { path.isEmpty ? name : path.hasSuffix("/") ? path + name : path + "/" + name }

  // MARK: Entries

  /// The names of all entries, sorted.
  package func names() throws(Failure) -> [String] {
    // A descriptor of its own, as reading moves its position and closing it is up to the directory stream.
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

  /// What the entry `name` is, or nil if there is none; of a symbolic link, the link itself.
  package func status(_ name: String) throws(Failure) -> Stat? {
    var status = stat()
    if unsafe name.withPath({ unsafe fstatat(descriptor.rawValue, $0, &status, AT_SYMLINK_NOFOLLOW) }) == 0 {
      return Stat(rawValue: status)
    }
    if errno == ENOENT { return nil }
    throw Failure(.system(path: path(name), operation: .look, Errno(rawValue: errno)))
  }

  /// What this folder is.
  package func status() throws(Failure) -> Stat {
    try Failure.wrapping(path, .look) { try descriptor.stat() }
  }

  /// Opens the regular file `name`; messages call it `shownPath`, or else by its own path.
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

  /// Opens the folder `name`; messages call it `shownPath`, or else by its own path.
  package func folder(_ name: String, shownAs shownPath: String? = nil) throws(Failure) -> Folder {
    let shown = shownPath ?? path(name)
    do throws(FileError) {
      return Folder(try .folder(name, in: descriptor.rawValue, path: shown, links: .refused), path: shown)
    } catch {
      throw Failure(error)
    }
  }

  /// Writes `bytes` to the file `name`, replacing what is in it, down to the disk.
  package func write(_ bytes: [UInt8], to name: String) throws(Failure) {
    let file = try file(name, for: .updating)
    try file.reserve(bytes.count)
    try file.write(bytes, at: 0)
    try file.synchronize()
  }

  // MARK: Changes

  /// Why this process may not make entries here; nil if it may.
  package var writeRefusal: Errno? {
    unsafe faccessat(descriptor.rawValue, ".", W_OK, AT_EACCESS) == 0 ? nil : Errno(rawValue: errno)
  }

  /// Makes the folder `name`, which must not be there.
  package func makeFolder(_ name: String, permissions: FilePermissions) throws(Failure) {
    try unsafe call(.createFolder, name) { unsafe mkdirat(descriptor.rawValue, $0, permissions.rawValue) }
  }

  /// Removes the entry `name` if there is one: a file, a link, or a folder with all that is in it.
  package func remove(_ name: String) throws(Failure) {
    guard let status = try status(name) else { return }
    if status.type == .directory {
      try folder(name).removeEntries()
      try unsafe call(.remove, name) { unsafe unlinkat(descriptor.rawValue, $0, AT_REMOVEDIR) }
    } else {
      try unsafe call(.remove, name) { unsafe unlinkat(descriptor.rawValue, $0, 0) }
    }
  }

  /// Notes that the entry `name` was used now, as the time of its last change; that it cannot be noted is no error.
  package func touch(_ name: String) {
    _ = unsafe name.withPath { unsafe utimensat(descriptor.rawValue, $0, nil, AT_SYMLINK_NOFOLLOW) }
  }

  /// Removes all entries but the one called `kept`.
  package func removeEntries(except kept: String? = nil) throws(Failure) {
    for name in try names() where name != kept { try remove(name) }
  }

  /// Gives the entry `name` another name in this folder; a file that has that name is replaced.
  package func rename(_ name: String, to newName: String) throws(Failure) { try rename(name, to: newName, in: self) }

  /// Gives the entry `name` a name in the folder `target`; a file that has that name is replaced.
  package func rename(_ name: String, to newName: String, in target: borrowing Folder) throws(Failure) {
    let (from, to) = (descriptor.rawValue, target.descriptor.rawValue)
    let error = unsafe name.withPath { old in
      unsafe newName.withPath { new in unsafe renameat(from, old, to, new) == 0 ? 0 : errno }
    }
    try Failure.check(error, target.path(newName), .nameResult)
  }

  /// Swaps two entries in one step.
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

  /// Bytes that the filesystem has free for this user; nil if it does not say.
  package var freeByteCount: Int? {
    var status = statvfs()
    return unsafe fstatvfs(descriptor.rawValue, &status) == 0 ? FilesystemSpace(status)?.free : nil
  }

  /// Waits until the disk has the names of all entries, where the filesystem can say so.
  package func synchronize() throws(Failure) {
    let error = fsync(descriptor.rawValue) == 0 ? 0 : errno
    if error != EINVAL { try Failure.check(error, path, .synchronize) }
  }
}
