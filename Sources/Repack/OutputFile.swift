import CLinux
import PackFormat
import SystemPackage

/// A file that is written at given positions, and closed once.
struct OutputFile: ~Copyable, Sendable {
  let path: String
  private let descriptor: FileDescriptor

  /// Creates the file at `path`, which must not exist, and reserves space for `byteCount` bytes.
  init(_ path: String, byteCount: Int) throws(PackError) {
    descriptor = try Self.create(path, byteCount)
    self.path = path
  }

  deinit { try? descriptor.close() }

  private static func create(_ path: String, _ byteCount: Int) throws(PackError) -> FileDescriptor {
    let descriptor: FileDescriptor
    do {
      descriptor = try FileDescriptor.open(
        FilePath(path), .readWrite, options: [.create, .exclusiveCreate, .closeOnExec],
        permissions: [.ownerReadWrite, .groupRead, .otherRead])
    } catch {
      throw .system(file: path, operation: "create it", reason: reason(error))
    }
    let error = cl_reserve(descriptor.rawValue, Int64(byteCount))
    guard error == 0 else {
      try? descriptor.close()
      throw .system(file: path, operation: "reserve \(byteCount) bytes for it", reason: Errno(rawValue: error).description)
    }
    return descriptor
  }

  /// Writes all of `bytes` at `offset`.
  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(PackError) {
    do {
      _ = try unsafe descriptor.writeAll(toAbsoluteOffset: Int64(offset), bytes)
    } catch {
      throw .system(file: path, operation: "write it at byte \(offset)", reason: Self.reason(error))
    }
  }

  /// Waits until the disk has everything.
  func synchronize() throws(PackError) {
    let error = cl_synchronize(descriptor.rawValue)
    guard error == 0 else {
      throw .system(file: path, operation: "write it to the disk", reason: Errno(rawValue: error).description)
    }
  }

  /// Creates the file at `path` with `bytes`, down to the disk.
  static func write(_ bytes: [UInt8], to path: String) throws(PackError) {
    let file = try OutputFile(path, byteCount: bytes.count)
    try unsafe bytes.span.bytes.withUnsafeBytes { (buffer) throws(PackError) in try unsafe file.write(buffer, at: 0) }
    try file.synchronize()
  }

  static func reason(_ error: any Error) -> String { (error as? Errno)?.description ?? "\(error)" }
}
