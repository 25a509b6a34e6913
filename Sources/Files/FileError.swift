// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import SystemPackage

/// The reason why a file or a folder cannot be used.
///
/// `description` is one line for people. A path may be text made by `String(pathBytes:)`.
public enum FileError: Error, Hashable, Sendable {
  /// The operating system refused an operation.
  case system(path: String, operation: FileOperation, Errno)
  /// The path leads to a folder, a pipe or a device.
  case notRegular(path: String)
  /// The path leads to a symbolic link where none is followed.
  case link(path: String)
  /// The file ends at byte `end`, before what was to be read.
  case cutShort(path: String, end: Int)
  /// The file has more bytes than are read into memory.
  case tooLong(path: String, byteCount: Int, limit: Int)
}

extension FileError {
  /// Whether writing failed; otherwise the file could not be read or used.
  public var isOfWriting: Bool {
    if case .system(_, let operation, _) = self { operation.isWriting } else { false }
  }
}

extension FileError: CustomStringConvertible {
  /// The problem in one line.
  public var description: String {
    switch self {
    case .system(let path, _, .notDirectory) where path.hasSuffix("/"):
      "\(path.oneLine): this is not a folder; leave out the slash at the end"
    case .system(let path, let operation, let error): "\(path.oneLine): cannot \(operation): \(Self.reason(path, operation, error))"
    case .notRegular(let path): "\(path.oneLine): this is not a regular file"
    case .link(let path): "\(path.oneLine): this is a symbolic link, and links are not followed here"
    case .cutShort(let path, let end): "\(path.oneLine): the file ends at byte \(end), before the bytes that were to be read"
    case .tooLong(let path, let byteCount, let limit):
      "\(path.oneLine): the file has \(byteCount) bytes, more than the limit of \(limit)"
    }
  }
}

extension FileError {
  /// Returns the system's text for an error; if permission is missing, also which permission, and on which file or folder.
  package static func reason(_ path: String, _ operation: FileOperation, _ error: Errno) -> String {
    guard error == .permissionDenied, let denial = Denial(of: path, operation) else { return error.description }
    return "\(error); \(denial)"
  }
}

/// An error type of a module that works with files, which can wrap a `FileError`.
package protocol FileFailure: Error {
  init(_ error: FileError)
}

extension FileError: FileFailure {
  package init(_ error: FileError) { self = error }
}

extension FileFailure {
  /// Runs `body`, and turns the error of the operating system into a failure of `operation` at `path`.
  static func wrapping<Result: ~Copyable>(
    _ path: String, _ operation: @autoclosure () -> FileOperation, _ body: () throws -> Result
  ) throws(Self) -> Result {
    do {
      return try body()
    } catch {
      throw Self(.system(path: path, operation: operation(), error as? Errno ?? .ioError))
    }
  }

  /// Throws if `error`, which is an errno or 0, is not 0.
  static func check(_ error: CInt, _ path: String, _ operation: @autoclosure () -> FileOperation) throws(Self) {
    guard error == 0 else { throw Self(.system(path: path, operation: operation(), Errno(rawValue: error))) }
  }
}
