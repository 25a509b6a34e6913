// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import SystemPackage

/// Reads whole small files of a pack, and looks at files without following links.
package enum PackFile {
  /// The most that is read into memory of a manifest or a digest list; enough for a hundred thousand tensors.
  package static let memoryLimit = 1 << 28

  /// The bytes of the regular file at `path`.
  package static func contents(_ path: String, limit: Int = memoryLimit) throws(PackError) -> [UInt8] {
    let descriptor = try open(path)
    defer { try? descriptor.close() }
    do {
      let size = Int(try descriptor.seek(offset: 0, from: .end))
      guard size <= limit else {
        throw PackError.invalid(file: path, problem: "it has \(size) bytes, more than any such file needs")
      }
      return try unsafe [UInt8](unsafeUninitializedCapacity: size) { buffer, filled in
        while filled < size {
          let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[filled...])
          let count = try unsafe descriptor.read(fromAbsoluteOffset: Int64(filled), into: rest)
          guard count > 0 else { break }
          filled += count
        }
      }
    } catch let error as PackError {
      throw error
    } catch {
      throw .system(file: path, operation: "read it", reason: reason(error))
    }
  }

  /// Opens the regular file at `path` for reading; refuses a symbolic link, which might lead out of the pack, unless `followsLinks`.
  static func open(_ path: String, followsLinks: Bool = false) throws(PackError) -> FileDescriptor {
    let descriptor: FileDescriptor
    do {
      // Without .nonBlocking, opening a pipe waits for someone to write to it.
      let options: FileDescriptor.OpenOptions = [.closeOnExec, .nonBlocking]
      descriptor = try FileDescriptor.open(FilePath(path), .readOnly, options: followsLinks ? options : options.union(.noFollow))
    } catch {
      if error as? Errno == .tooManySymbolicLinkLevels {
        throw .invalid(file: path, problem: "it is a symbolic link; a pack's files must lie in its own folder")
      }
      throw .system(file: path, operation: "open it", reason: reason(error))
    }
    do throws(Errno) {
      if try descriptor.stat().type == .regular { return descriptor }
    } catch {
      try? descriptor.close()
      throw .system(file: path, operation: "learn what it is", reason: error.description)
    }
    try? descriptor.close()
    throw .invalid(file: path, problem: "it is no regular file")
  }

  /// The size of the regular file at `path`.
  static func byteCount(_ path: String) throws(PackError) -> Int {
    let descriptor = try open(path)
    defer { try? descriptor.close() }
    do {
      return Int(try descriptor.seek(offset: 0, from: .end))
    } catch {
      throw .system(file: path, operation: "find its size", reason: reason(error))
    }
  }

  static func reason(_ error: any Error) -> String { (error as? Errno)?.description ?? "\(error)" }
}
