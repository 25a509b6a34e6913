// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import Glibc
import PackFormat
import SystemPackage

/// A hidden folder beside the destination, in which a result is written before it takes its name atomically.
///
/// While this value lives, a lock on a file beside the destination keeps other runs from writing the same result. The kernel drops the lock
/// when the process ends, so the next run can remove what a killed run leaves. Dropping a staging that was not committed removes the
/// folder.
struct Staging: ~Copyable {
  /// The path of the result.
  let destination: String
  /// The hidden folder. Messages use the result's path instead, because users do not know the hidden folder.
  let folder: Folder<PackError>
  private let lock: WriterLock
  private let name: String
  private let result: Result
  private var isCommitted = false
  /// Whether the folder is kept if this value is dropped without a commit, so that a later run can resume.
  var keepsUnfinished = false

  /// The kind of the result, which decides what gets its name and what it may replace.
  enum Result: Hashable {
    /// A pack: the folder itself.
    case pack
    /// A folder of GGUF files: the folder itself.
    case models
    /// One file in the folder.
    case file(String)

    var isFolder: Bool { self == .pack || self == .models }
    var kind: String { self == .pack ? "a pack is a folder" : isFolder ? "the result is a folder" : "the result is a file" }
  }

  /// Creates the folder for a result at `destination`, which must not exist unless `replacing` is set.
  init(for destination: String, _ result: Result, replacing: Bool, resuming: Bool = false) throws(PackError) {
    let place = try Self.place(destination)
    try Self.check(place, result, replacing)
    let name = place.name
    let lock = try Self.naming(destination, .writeThere) { () throws(PackError) in
      try WriterLock(Self.hidden(name) + ".lock", at: place, of: destination)
    }
    try Self.naming(destination, .replace) { () throws(PackError) in try Self.recover(name, in: lock.folder) }
    // Another run may have finished between the first check and taking the lock.
    try Self.check(Self.place(destination), result, replacing)
    folder = try Self.create(Self.hidden(name), in: lock.folder, keeping: resuming, shownAs: destination)
    self.lock = lock
    self.destination = destination
    self.name = name
    self.result = result
  }

  deinit {
    if !isCommitted && !keepsUnfinished { try? lock.folder.remove(Self.hidden(name)) }
  }

  /// Runs `body`, which works on hidden files, and reports errors of the system with the path of the result.
  private static func naming<Value: ~Copyable>(
    _ destination: String, _ operation: FileOperation, _ body: () throws(PackError) -> Value
  ) throws(PackError) -> Value {
    do throws(PackError) {
      return try body()
    } catch .file(.system(_, _, let error)) {
      throw .file(.system(path: destination, operation: operation, error))
    }
  }

  private static func hidden(_ name: String) -> String { ".\(name).partial" }
  private static func replaced(_ name: String) -> String { ".\(name).replaced" }

  private static func place(_ destination: String) throws(PackError) -> Destination<PackError> {
    do throws(PackError) {
      return try Destination(destination)
    } catch .file(.system(let path, .open, let error)) where error == .noSuchFileOrDirectory || error == .notDirectory {
      throw .invalid(file: path, problem: "there is no such folder; create it, or write to another place")
    }
  }

  /// Refuses to replace anything except an earlier result, so that a mistyped path cannot cost a user a folder.
  private static func check(
    _ place: borrowing Destination<PackError>, _ result: Result, _ replacing: Bool
  ) throws(PackError) {
    guard let status = try place.existing() else { return }
    let path = place.folder.path(place.name)
    guard replacing else {
      // If the user may not write there, neither another name nor replacing it would help.
      if let error = place.folder.writeRefusal { throw .file(.system(path: path, operation: .writeThere, error)) }
      throw .exists(path: path)
    }
    let isFolder = status.type == .directory
    guard isFolder == result.isFolder else {
      throw .invalid(file: path, problem: "this is a \(isFolder ? "folder" : "file"); \(result.kind). Not replaced")
    }
    guard isFolder else { return }
    let names = try place.folder.folder(place.name).names()
    let isOurs =
      result == .pack ? names.isEmpty || names.contains(Pack.FileName.manifest) : names.allSatisfy { $0.hasSuffix(".gguf") }
    guard isOurs else { throw .invalid(file: path, problem: "this folder holds other things; it is not replaced") }
  }

  /// Repairs what a run leaves that was killed between the two steps of replacing a folder.
  private static func recover(_ name: String, in parent: borrowing Folder<PackError>) throws(PackError) {
    guard try parent.status(replaced(name)) != nil else { return }
    if try parent.status(name) == nil {
      try parent.rename(replaced(name), to: name)
    } else {
      try parent.remove(replaced(name))
    }
  }

  /// Creates the folder, after removing what an earlier run has left there unless it is to be kept.
  ///
  /// If another user left it and it cannot be removed, the error names the hidden folder, because that has to go.
  private static func create(
    _ name: String, in parent: borrowing Folder<PackError>, keeping: Bool, shownAs destination: String
  ) throws(PackError) -> Folder<PackError> {
    if let found = try parent.status(name) {
      // Other users may have permission to write in the parent folder, and may have put something there.
      let isOurs = found.type == .directory && found.userID.rawValue == geteuid() && found.rawValue.st_mode & 0o022 == 0
      if !keeping || !isOurs { try parent.remove(name) }
    }
    if try parent.status(name) == nil {
      try naming(destination, .writeThere) { () throws(PackError) in
        try parent.makeFolder(name, permissions: [.ownerReadWriteExecute, .groupReadExecute, .otherReadExecute])
      }
    }
    return try parent.folder(name, shownAs: destination)
  }

  /// Creates a file for writing, which is the result or part of it.
  func file(_ name: String) throws(PackError) -> File<PackError> {
    try folder.file(name, for: .creating, shownAs: result == .file(name) ? destination : nil)
  }

  /// Publishes the result under its name. It appears complete or not at all.
  ///
  /// - Parameter names: Files of the folder that are not part of the result.
  consuming func commit(removing names: [String] = []) throws(PackError) {
    for name in names { try folder.remove(name) }
    try folder.synchronize()
    try publish()
    // This removes a replaced folder, or the empty folder of a single file.
    try Self.naming(destination, .replace) { () throws(PackError) in try lock.folder.remove(Self.hidden(name)) }
    isCommitted = true
    try lock.folder.synchronize()
  }

  private func publish() throws(PackError) {
    let hidden = Self.hidden(name)
    if case .file(let file) = result {
      try folder.rename(file, to: name, in: lock.folder)
    } else if try lock.folder.status(name) == nil {
      try lock.folder.rename(hidden, to: name)
    } else if try !lock.folder.exchange(hidden, with: name) {
      // Some filesystems cannot swap two folders atomically. Then it takes two steps, and `recover` repairs a crash between them.
      try Self.naming(destination, .replace) { () throws(PackError) in
        try lock.folder.rename(name, to: Self.replaced(name))
        try lock.folder.rename(hidden, to: name)
        try lock.folder.remove(Self.replaced(name))
      }
    }
  }

  /// Throws if the filesystem has too little room for the result. What an interrupted run left there counts as room.
  func requireSpace(_ byteCount: Int) throws(PackError) {
    guard let free = folder.freeByteCount else { return }
    var room = free
    for name in try folder.names() { room += Int(try folder.status(name)?.sizeAllocated ?? 0) }
    guard room < byteCount else { return }
    throw .noSpace(path: destination, needed: byteCount, free: room)
  }
}
