// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc
import SystemPackage

/// Where a result will be written: an existing folder, and the name of an entry in it.
package struct Destination<Failure: FileFailure>: ~Copyable, Sendable {
  /// The folder.
  package let folder: Folder<Failure>
  /// The name of the result in it.
  package let name: String

  /// Finds the place of `path`. A symbolic link is followed, so that the link stays and its target is replaced.
  package init(_ path: String) throws(Failure) {
    var path = path
    if try Stat.find(path, links: .refused, failingAs: Failure.self)?.type == .symbolicLink {
      let target = unsafe path.withPath { unsafe realpath($0, nil) }
      guard let target = unsafe target else {
        let error = errno
        // A link in /proc to a pipe, which standard output may be: it leads somewhere, but not to a name.
        if error == ENOENT, try Stat.find(path, failingAs: Failure.self) != nil { throw Failure(.notRegular(path: path)) }
        throw Failure(.system(path: path, operation: .followLink, Errno(rawValue: error)))
      }
      path = unsafe String(pathBytes: UnsafeBufferPointer(start: target, count: strlen(target)).map { UInt8(bitPattern: $0) })
      unsafe free(target)
    }
    while path.utf8.count > 1, path.hasSuffix("/") { path.removeLast() }
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    let name = String(parts.last ?? "")
    guard !["", ".", "..", "-"].contains(name) else {
      throw Failure(.system(path: path, operation: .nameResult, .invalidArgument))
    }
    let parent = path == "/" + name ? "/" : parts.dropLast().joined(separator: "/")
    let folder = try Folder<Failure>(parent)
    self.folder = folder
    self.name = name
  }

  /// Returns what exists there already, or nil.
  ///
  /// - Throws: If it is a pipe, a device, or the file that this program's standard output goes to: none of these is replaced.
  package func existing() throws(Failure) -> Stat? {
    guard let status = try folder.status(name) else { return nil }
    let output = try? FileDescriptor.standardOutput.stat()
    let isOutput = output?.inode == status.inode && output?.deviceID == status.deviceID
    guard status.type == .directory || status.type == .regular, !isOutput else {
      throw Failure(.notRegular(path: folder.path(name)))
    }
    return status
  }
}
