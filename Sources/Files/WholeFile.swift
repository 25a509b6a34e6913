// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc
import SystemPackage

/// A file that is written front to back beside its place, and takes its name when it is whole; until then nothing is there.
package struct WholeFile<Failure: FileFailure>: ~Copyable, Sendable {
  private let destination: Destination<Failure>
  private let file: File<Failure>
  private let temporaryName: String
  private var end = 0
  private var isCommitted = false

  /// Begins a file for `path`; a regular file that is there is replaced at the end, anything else is refused.
  package init(_ path: String) throws(Failure) {
    let destination = try Destination<Failure>(path)
    if try destination.existing()?.type == .directory { throw Failure(.notRegular(path: path)) }
    // An unused name: a file that is there belongs to somebody else.
    var number = 0
    while try destination.folder.status(Self.temporaryName(destination.name, number)) != nil { number += 1 }
    let name = Self.temporaryName(destination.name, number)
    do throws(FileError) {
      file = File(
        try .file(
          name, in: destination.folder.descriptor.rawValue, path: path, for: .creating, links: .refused, permissions: .standard),
        path: path)
    } catch .system(_, _, let error) {
      // Not the hidden file's name, which nobody has heard of.
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

  /// Gives the file its name.
  package consuming func commit() throws(Failure) {
    try file.synchronize()
    try destination.folder.rename(temporaryName, to: destination.name)
    isCommitted = true
  }
}

extension WholeFile {
  /// Writes a file at `path` that holds `text`, or changes nothing.
  package static func write(_ text: String, to path: String) throws(Failure) {
    var file = try WholeFile(path)
    let bytes = Array(text.utf8)
    try unsafe bytes.span.bytes.withUnsafeBytes { (buffer) throws(Failure) in try unsafe file.append(buffer) }
    try file.commit()
  }
}
