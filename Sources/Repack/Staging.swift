import CLinux
import FoundationEssentials
import PackFormat
import SystemPackage

/// A hidden folder beside the result, where it is written before it takes the result's name in one step.
///
/// While it lives, a lock on a file in it tells other runs that it is not trash. What a killed run leaves behind is removed by the
/// next run for the same result. Dropping a staging that was not committed removes it.
struct Staging: ~Copyable {
  /// Where the result will be.
  let destination: String
  /// Where it is written.
  let path: String
  private let lock: FileDescriptor
  /// What gets the result's name.
  var result = Result.folder
  private var isCommitted = false

  /// The folder itself, or one file in it.
  enum Result {
    case folder
    case file(String)
  }

  private static let lockName = "lock"

  /// Makes the folder for a result at `destination`, which must not exist unless `replacing`.
  init(for destination: String, replacing: Bool) throws(PackError) {
    let destination = destination.count > 1 && destination.hasSuffix("/") ? String(destination.dropLast()) : destination
    guard replacing || !FileManager.default.fileExists(atPath: destination) else {
      throw .invalid(file: destination, problem: "it exists already; choose another name, or replace it with --force")
    }
    let file = FilePath(destination)
    guard let name = file.lastComponent else { throw .invalid(file: destination, problem: "this is no name for a result") }
    let path = file.removingLastComponent().appending(".\(name.string).partial").string
    lock = try Self.create(path)
    self.destination = destination
    self.path = path
  }

  deinit {
    if !isCommitted { try? FileManager.default.removeItem(atPath: path) }
    try? lock.close()
  }

  /// Makes the folder and takes its lock; first removes one that nobody holds.
  private static func create(_ path: String) throws(PackError) -> FileDescriptor {
    if let old = try? FileDescriptor.open(FilePath(path + "/" + lockName), .readWrite, options: [.closeOnExec]) {
      defer { try? old.close() }
      guard cl_lock(old.rawValue) == 0 else {
        throw .invalid(file: path, problem: "another run is writing this result; wait for it, or stop it")
      }
    }
    do {
      if FileManager.default.fileExists(atPath: path) { try FileManager.default.removeItem(atPath: path) }
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
      let lock = try FileDescriptor.open(
        FilePath(path + "/" + lockName), .readWrite, options: [.create, .closeOnExec], permissions: [.ownerReadWrite])
      _ = cl_lock(lock.rawValue)
      return lock
    } catch {
      throw .system(file: path, operation: "create this folder", reason: reason(error))
    }
  }

  /// Gives the result its name: from here on it is there, whole, or it is not there at all.
  consuming func commit() throws(PackError) {
    let source: String
    switch result {
    case .folder:
      source = path
      try remove(path + "/" + Self.lockName)
    case .file(let name): source = path + "/" + name
    }
    try unsafe Self.check(cl_sync_folder(path), path, "write it to the disk")
    if FileManager.default.fileExists(atPath: destination) {
      // Swapped, not removed and renamed: at no time is there neither the old result nor the new one.
      try unsafe Self.check(cl_exchange(source, destination), destination, "replace it")
    } else {
      do {
        try FileManager.default.moveItem(atPath: source, toPath: destination)
      } catch {
        throw .system(file: destination, operation: "give the result this name", reason: Self.reason(error))
      }
    }
    if FileManager.default.fileExists(atPath: path) { try remove(path) }
    isCommitted = true
    let parent = FilePath(destination).removingLastComponent().string
    try unsafe Self.check(cl_sync_folder(parent.isEmpty ? "." : parent), destination, "write it to the disk")
  }

  private func remove(_ path: String) throws(PackError) {
    do {
      try FileManager.default.removeItem(atPath: path)
    } catch {
      throw .system(file: path, operation: "remove it", reason: Self.reason(error))
    }
  }

  private static func check(_ error: CInt, _ file: String, _ operation: String) throws(PackError) {
    guard error == 0 else {
      throw .system(file: file, operation: operation, reason: Errno(rawValue: error).description)
    }
  }

  private static func reason(_ error: any Error) -> String {
    if let error = error as? CocoaError, let underlying = error.underlying as? POSIXError {
      return Errno(rawValue: underlying.code.rawValue).description
    }
    return (error as? Errno)?.description ?? "\(error)"
  }
}
