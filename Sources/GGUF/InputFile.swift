import SystemPackage

/// An open file that is read at given positions, and closed once.
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
    do {
      let descriptor = try FileDescriptor.open(FilePath(path), .readOnly, options: [.closeOnExec])
      do {
        return (descriptor, Int(try descriptor.seek(offset: 0, from: .end)))
      } catch {
        try? descriptor.close()
        throw error
      }
    } catch {
      throw .system(file: path, operation: "open it", reason: reason(error))
    }
  }

  /// The first `count` bytes, or all there are if the file is shorter.
  func prefix(_ count: Int) throws(GGUFError) -> [UInt8] {
    let wanted = min(count, byteCount)
    do {
      return try unsafe [UInt8](unsafeUninitializedCapacity: wanted) { buffer, filled in
        while filled < wanted {
          let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[filled...])
          let read = try unsafe descriptor.read(fromAbsoluteOffset: Int64(filled), into: rest)
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
