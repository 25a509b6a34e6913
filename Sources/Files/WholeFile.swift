// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc
import SystemPackage

/// A file that is written under a temporary name beside its destination, and renamed when complete; until then the destination is
/// untouched.
package struct WholeFile<Failure: FileFailure>: ~Copyable, Sendable {
  private let destination: Destination<Failure>
  private let file: File<Failure>
  private let temporaryName: String
  private var end = 0
  private var isCommitted = false

  /// Begins a file for `path`. An existing regular file is replaced by `commit`; anything else there is an error.
  package init(_ path: String) throws(Failure) {
    let destination = try Destination<Failure>(path)
    if try destination.existing()?.type == .directory { throw Failure(.notRegular(path: path)) }
    // Finds an unused name: an existing file belongs to another process.
    var number = 0
    while try destination.folder.status(Self.temporaryName(destination.name, number)) != nil { number += 1 }
    let name = Self.temporaryName(destination.name, number)
    do throws(FileError) {
      file = File(
        try .file(
          name, in: destination.folder.descriptor.rawValue, path: path, for: .creating, links: .refused, permissions: .standard),
        path: path)
    } catch .system(_, _, let error) {
      // Report the destination, not the temporary name, which the user has never seen.
      throw Failure(.system(path: path, operation: .writeThere, error))
    } catch {
      throw Failure(error)
    }
    temporaryName = name
    self.destination = destination
  }

  deinit { if !isCommitted { try? destination.folder.remove(temporaryName) } }

  private static func temporaryName(_ name: String, _ number: Int) -> String { ".\(name).\(getpid()).\(number)" }

  /// Appends `bytes`.
  package mutating func append(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
    try unsafe file.write(bytes, at: end)
    end += bytes.count
  }

  /// Renames the file to its destination.
  package consuming func commit() throws(Failure) {
    try file.synchronize()
    try destination.folder.rename(temporaryName, to: destination.name)
    isCommitted = true
  }
}

extension WholeFile {
  /// Writes `text` to a file at `path`; on failure nothing changes.
  package static func write(_ text: String, to path: String) throws(Failure) {
    var file = try WholeFile(path)
    let bytes = Array(text.utf8)
    try unsafe bytes.span.bytes.withUnsafeBytes { (buffer) throws(Failure) in try unsafe file.append(buffer) }
    try file.commit()
  }
}
