// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import SystemPackage

/// A file that is read at given positions, into memory of the caller's, and closed once.
public struct PositionedFile: ~Copyable, Sendable {
  /// Where it lies.
  public let path: String
  private let descriptor: FileDescriptor

  /// Opens the regular file at `path`; refuses a symbolic link unless `followsLinks`.
  public init(_ path: String, followsLinks: Bool = false) throws(PackError) {
    descriptor = try PackFile.open(path, followsLinks: followsLinks)
    self.path = path
  }

  deinit { try? descriptor.close() }

  /// The file's size in bytes.
  public func byteCount() throws(PackError) -> Int {
    do {
      return Int(try descriptor.seek(offset: 0, from: .end))
    } catch {
      throw .system(file: path, operation: "find its size", reason: PackFile.reason(error))
    }
  }

  /// Fills `buffer` with the bytes from `offset`; a file that ends before is an error.
  public func read(_ offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(PackError) {
    var filled = 0
    while filled < buffer.count {
      let count: Int
      do {
        let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
        count = try unsafe descriptor.read(fromAbsoluteOffset: Int64(offset + filled), into: rest)
      } catch {
        throw .system(file: path, operation: "read it at byte \(offset + filled)", reason: PackFile.reason(error))
      }
      guard count > 0 else {
        throw .invalid(file: path, problem: "it ends at byte \(offset + filled), before what was to be read")
      }
      filled += count
    }
  }
}
