// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux
import FoundationEssentials
import PackFormat
import SystemPackage

/// A hidden folder beside the result, where it is written before it takes the result's name in one step.
///
/// While it lives, a lock on a file beside it keeps other runs for the same result from beginning. The kernel drops the lock with the
/// process: what a killed run leaves behind is removed by the next one. Dropping a staging that was not committed removes it.
struct Staging: ~Copyable {
  /// Where the result will be.
  let destination: String
  /// Where it is written.
  let path: String
  private let lock: WriterLock
  private let result: Result
  private var isCommitted = false
  /// Whether the folder stays if it is dropped without being committed, so that a later run can go on.
  var keepsUnfinished = false

  /// What the result is: what gets its name, and what it may replace.
  enum Result: Hashable {
    /// A pack: the folder itself.
    case pack
    /// A folder of GGUF files: the folder itself.
    case models
    /// One file in the folder.
    case file(String)

    var isFolder: Bool { self == .pack || self == .models }
  }

  /// Makes the folder for a result at `destination`, which must not exist unless `replacing`.
  init(for destination: String, _ result: Result, replacing: Bool, resuming: Bool = false) throws(PackError) {
    let destination = destination.count > 1 && destination.hasSuffix("/") ? String(destination.dropLast()) : destination
    try Self.check(destination, result, replacing)
    let file = FilePath(destination)
    guard let name = file.lastComponent else { throw .invalid(file: destination, problem: "this is no name for a result") }
    let parent = file.removingLastComponent()
    var isFolder = false
    if !parent.isEmpty, !FileManager.default.fileExists(atPath: parent.string, isDirectory: &isFolder) || !isFolder {
      throw .invalid(file: parent.string, problem: "there is no such folder; create it, or write to another place")
    }
    let path = parent.appending(".\(name.string).partial").string
    let lock = try WriterLock(path + ".lock", of: destination)
    // Another run may have finished since.
    try Self.check(destination, result, replacing)
    try Self.create(path, keeping: resuming)
    self.lock = lock
    self.destination = destination
    self.path = path
    self.result = result
  }

  deinit {
    if !isCommitted && !keepsUnfinished { try? FileManager.default.removeItem(atPath: path) }
  }

  /// Refuses to replace what is no result of ours: `--force` with a mistyped path must not cost anybody a folder.
  private static func check(_ destination: String, _ result: Result, _ replacing: Bool) throws(PackError) {
    var isFolder = false
    guard FileManager.default.fileExists(atPath: destination, isDirectory: &isFolder) else { return }
    guard replacing else {
      throw .invalid(file: destination, problem: "it exists already; choose another name, or replace it with --force")
    }
    guard isFolder == result.isFolder else {
      throw .invalid(
        file: destination, problem: "it is a \(isFolder ? "folder" : "file"), and the result is none; it is not replaced")
    }
    guard isFolder else { return }
    let names = (try? FileManager.default.contentsOfDirectory(atPath: destination)) ?? []
    let isOurs =
      result == .pack ? names.isEmpty || names.contains(Pack.FileName.manifest) : names.allSatisfy { $0.hasSuffix(".gguf") }
    guard isOurs else { throw .invalid(file: destination, problem: "it is a folder of other things; it is not replaced") }
  }

  /// Makes the folder; first removes what a run before has left, unless `keeping` it.
  private static func create(_ path: String, keeping: Bool) throws(PackError) {
    do {
      if FileManager.default.fileExists(atPath: path) {
        if keeping { return }
        try FileManager.default.removeItem(atPath: path)
      }
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    } catch {
      throw .system(file: path, operation: "create this folder", reason: reason(error))
    }
  }

  /// Gives the result its name: from here on it is there, whole, or it is not there at all.
  ///
  /// - Parameter names: Files of the folder that are no part of the result.
  consuming func commit(removing names: [String] = []) throws(PackError) {
    for name in names where FileManager.default.fileExists(atPath: path + "/" + name) { try remove(path + "/" + name) }
    let source: String
    switch result {
    case .pack, .models: source = path
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
    try Self.syncParent(of: destination)
  }

  private static func syncParent(of path: String) throws(PackError) {
    let parent = FilePath(path).removingLastComponent().string
    try unsafe check(cl_sync_folder(parent.isEmpty ? "." : parent), path, "write it to the disk")
  }

  /// Refuses to begin what the filesystem has no room for; what an interrupted run has left there counts as room.
  func requireSpace(_ byteCount: Int) throws(PackError) {
    let free = cl_free_bytes(lock.descriptor.rawValue)
    guard free >= 0 else { return }
    let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
    let room = names.reduce(Int(free)) { unsafe $0 + Int(cl_allocated_bytes(path + "/" + $1)) }
    guard room < byteCount else { return }
    throw .invalid(
      file: destination,
      problem: "it takes \(byteCount) bytes, and its filesystem has room for \(room); free \(byteCount - room) more there, or "
        + "write to another filesystem")
  }

  /// Removes what an interrupted run left, but the file `name`.
  func clear(keeping name: String) throws(PackError) {
    for other in (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [] where other != name {
      try remove(path + "/" + other)
    }
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
