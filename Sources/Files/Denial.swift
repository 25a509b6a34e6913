// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc
import SystemPackage

/// The file or folder on a path that this user has no permission for, and the command that grants it.
///
/// The system says only "Permission denied". It does not say whether a folder on the way cannot be entered, a folder cannot be written in,
/// or the file itself cannot be used.
struct Denial: Hashable {
  private enum Kind { case enter, write, read }

  private let path: String
  private let kind: Kind
  private let isFolder: Bool
  private let owner: UInt32

  /// Finds what stands in the way of `operation` at `path`; nil if nothing does any more, or if permissions are not the reason.
  init?(of path: String, _ operation: FileOperation) {
    let parents = Self.parents(of: path)
    if let closed = parents.first(where: { !Self.may($0, X_OK) }) {
      self.init(closed, .enter)
    } else if operation.isWriting {
      // A result is first written beside its destination, then renamed, so the folder must be writable too.
      guard let denied = ([parents.last ?? ".", path].first { Self.exists($0) && !Self.may($0, W_OK) }) else { return nil }
      self.init(denied, .write)
    } else {
      guard Self.exists(path), !Self.may(path, R_OK) else { return nil }
      self.init(path, .read)
    }
  }

  private init?(_ path: String, _ kind: Kind) {
    guard let status = (try? Stat.find(path, failingAs: FileError.self)) ?? nil else { return nil }
    self.path = path
    self.kind = kind
    isFolder = status.type == .directory
    owner = status.userID.rawValue
  }

  /// Returns the folders that the path leads through, outermost first: for `a/b/c`, the current folder, `a` and `a/b`.
  private static func parents(of path: String) -> [String] {
    let full = path.count > 1 && path.hasSuffix("/") ? path.dropLast() : path[...]
    let parents = full.indices.filter { full[$0] == "/" && $0 != full.startIndex }.map { String(full[..<$0]) }
    return [full.hasPrefix("/") ? "/" : "."] + parents
  }

  private static func may(_ path: String, _ access: CInt) -> Bool {
    // The check uses the effective user of this process. A path that does not exist is not forbidden.
    unsafe path.withPath { unsafe faccessat(AT_FDCWD, $0, access, AT_EACCESS) } == 0 || errno != EACCES
  }

  private static func exists(_ path: String) -> Bool { unsafe path.withPath { unsafe faccessat(AT_FDCWD, $0, F_OK, 0) } == 0 }
}

extension Denial: CustomStringConvertible {
  /// What this user may not do, and the command that allows it, worded as the end of a sentence about the path.
  var description: String {
    let (verb, mode) =
      switch kind {
      case .enter: ("enter", "rx")
      case .write: (isFolder ? "write in" : "write to", "w")
      case .read: (isFolder ? "list" : "read", isFolder ? "rx" : "r")
      }
    let thing = "the \(isFolder ? "folder" : "file") \(path.oneLine)"
    if owner == geteuid() { return "you may not \(verb) \(thing), which is yours: chmod u+\(mode) \(path.shellWord)" }
    let remedy =
      kind == .write
      ? "name another place, or run this as that user" : "that user or root can allow it: chmod a+\(mode) \(path.shellWord)"
    return "user \(Self.name(geteuid())) may not \(verb) \(thing), which belongs to \(Self.name(owner)); \(remedy)"
  }

  /// Returns the name of a user, or the number as text if the user has no name.
  private static func name(_ user: UInt32) -> String {
    var (entry, found) = unsafe (passwd(), nil as UnsafeMutablePointer<passwd>?)
    var text = [CChar](repeating: 0, count: 1 << 14)
    return unsafe text.withUnsafeMutableBufferPointer { text in
      // The name lies in `text`, so it is read here.
      guard let start = text.baseAddress, unsafe getpwuid_r(user, &entry, start, text.count, &found) == 0, unsafe found != nil,
        let name = unsafe entry.pw_name
      else { return "\(user)" }
      return unsafe String(cString: name).oneLine
    }
  }
}
