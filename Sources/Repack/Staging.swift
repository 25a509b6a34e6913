// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import Glibc
import PackFormat
import SystemPackage

/// A hidden folder beside the result, where it is written before it takes the result's name in one step.
///
/// While it lives, a lock on a file beside it keeps other runs for the same result from beginning. The kernel drops the lock with the
/// process: what a killed run leaves is removed by the next one. Dropping a staging that was not committed removes it.
struct Staging: ~Copyable {
  /// Where the result will be.
  let destination: String
  /// Where it is written. Messages call it by the result's path, as nobody has heard of the hidden folder.
  let folder: Folder<PackError>
  private let lock: WriterLock
  private let name: String
  private let result: Result
  private var isCommitted = false
  /// Whether the folder stays if it is dropped without being committed, so that a later run can resume.
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
    var kind: String { self == .pack ? "a pack is a folder" : isFolder ? "the result is a folder" : "the result is a file" }
  }

  /// Makes the folder for a result at `destination`, which must not exist unless `replacing`.
  init(for destination: String, _ result: Result, replacing: Bool, resuming: Bool = false) throws(PackError) {
    let place = try Self.place(destination)
    try Self.check(place, result, replacing)
    let name = place.name
    let lock = try Self.naming(destination, .writeThere) { () throws(PackError) in
      try WriterLock(Self.hidden(name) + ".lock", at: place, of: destination)
    }
    try Self.naming(destination, .replace) { () throws(PackError) in try Self.recover(name, in: lock.folder) }
    // Another run may have finished since.
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

  /// Runs `body`, which works on hidden files; where the system refuses something, that is said of the result.
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

  /// Refuses to replace anything but an earlier result: replacing with a mistyped path must not cost anybody a folder.
  private static func check(
    _ place: borrowing Destination<PackError>, _ result: Result, _ replacing: Bool
  ) throws(PackError) {
    guard let status = try place.existing() else { return }
    let path = place.folder.path(place.name)
    guard replacing else {
      // For a user who may not write there, neither another name nor replacing it would help.
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

  /// Puts right what a run that was killed between the two steps of replacing a folder has left.
  private static func recover(_ name: String, in parent: borrowing Folder<PackError>) throws(PackError) {
    guard try parent.status(replaced(name)) != nil else { return }
    if try parent.status(name) == nil {
      try parent.rename(replaced(name), to: name)
    } else {
      try parent.remove(replaced(name))
    }
  }

  /// Makes the folder; first removes what a run before has left, unless `keeping` it. Where another user has left it and it cannot be
  /// removed, the hidden name is said: it is what has to go.
  private static func create(
    _ name: String, in parent: borrowing Folder<PackError>, keeping: Bool, shownAs destination: String
  ) throws(PackError) -> Folder<PackError> {
    if let found = try parent.status(name) {
      // Somebody else may write to the folder of the result, and have put something there.
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

  /// Opens a file to be written, which is the result or belongs to it.
  func file(_ name: String) throws(PackError) -> File<PackError> {
    try folder.file(name, for: .creating, shownAs: result == .file(name) ? destination : nil)
  }

  /// Gives the result its name: from here on it is there, whole, or it is not there at all.
  ///
  /// - Parameter names: Files of the folder that are not part of the result.
  consuming func commit(removing names: [String] = []) throws(PackError) {
    for name in names { try folder.remove(name) }
    try folder.synchronize()
    try publish()
    // What was replaced, or the empty folder of a file.
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
      // A filesystem that cannot swap two folders in one step does it in two; `recover` repairs what a crash between them leaves.
      try Self.naming(destination, .replace) { () throws(PackError) in
        try lock.folder.rename(name, to: Self.replaced(name))
        try lock.folder.rename(hidden, to: name)
        try lock.folder.remove(Self.replaced(name))
      }
    }
  }

  /// Refuses to begin what the filesystem has no room for; what an interrupted run has left there counts as room.
  func requireSpace(_ byteCount: Int) throws(PackError) {
    guard let free = folder.freeByteCount else { return }
    var room = free
    for name in try folder.names() { room += Int(try folder.status(name)?.sizeAllocated ?? 0) }
    guard room < byteCount else { return }
    throw .noSpace(path: destination, needed: byteCount, free: room)
  }
}
