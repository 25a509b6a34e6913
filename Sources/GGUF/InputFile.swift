// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import SystemPackage

/// An open regular file that is read at given positions, and closed once.
struct InputFile: ~Copyable {
  let path: String
  let byteCount: Int
  private let descriptor: FileDescriptor

  /// Opens a regular file for reading.
  init(_ path: String) throws(GGUFError) {
    (descriptor, byteCount) = try Self.open(path)
    self.path = path
  }

  deinit { try? descriptor.close() }

  // A noncopyable type must not throw halfway through its initialisation, so what can fail is done here.
  private static func open(_ path: String) throws(GGUFError) -> (FileDescriptor, byteCount: Int) {
    let descriptor: FileDescriptor
    do {
      // Without .nonBlocking, opening a pipe waits for someone to write to it.
      descriptor = try FileDescriptor.open(FilePath(path), .readOnly, options: [.closeOnExec, .nonBlocking])
    } catch {
      throw .system(file: path, operation: "open it", reason: reason(error))
    }
    do throws(Errno) {
      let status = try descriptor.stat()
      if status.type == .regular { return (descriptor, Int(status.size)) }
    } catch {
      try? descriptor.close()
      throw .system(file: path, operation: "learn its size", reason: error.description)
    }
    try? descriptor.close()
    throw .notRegularFile(file: path)
  }

  /// Extends `bytes`, the file's front part read so far, to `count` bytes, or to all there are if the file is shorter.
  func extend(_ bytes: inout [UInt8], to count: Int) throws(GGUFError) {
    let start = bytes.count
    let wanted = min(count, byteCount)
    guard wanted > start else { return }
    do {
      bytes += try unsafe [UInt8](unsafeUninitializedCapacity: wanted - start) { buffer, filled in
        while filled < buffer.count {
          let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[filled...])
          let read = try unsafe descriptor.read(fromAbsoluteOffset: Int64(start + filled), into: rest)
          guard read > 0 else { break }
          filled += read
        }
      }
    } catch {
      throw .system(file: path, operation: "read it", reason: Self.reason(error))
    }
  }

  private static func reason(_ error: any Error) -> String {
    (error as? Errno)?.description ?? "\(error)"
  }
}
