// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import GGUF
import SystemPackage

/// The reason why a pack cannot be read, written or trusted.
///
/// `description` is one line for people.
public enum PackError: Error, Hashable, Sendable {
  /// A file or a folder cannot be used.
  case file(FileError)
  /// Part of the pack contradicts the rules of the format or the manifest.
  case invalid(file: String, problem: String)
  /// The result needs more space than the `free` bytes that its filesystem has left.
  case noSpace(path: String, needed: Int, free: Int)
  /// The result's path is taken by something that may be replaced.
  case exists(path: String)
  /// The pack has a version that this program does not support.
  case version(file: String, field: String, found: Int, known: Int)
  /// The bytes of a file do not match the digest in the pack.
  ///
  /// If the file is divided into chunks, `chunk` is the number of the damaged one, from 0, and `range` the bytes that it covers.
  case damaged(file: String, chunk: Int?, range: Range<Int>)
  /// A file was changed or replaced while it was being read.
  case changed(file: String)
  /// The caller stopped the work.
  case interrupted
  /// The source's header in the pack cannot be parsed.
  case header(GGUFError)
  /// There is not enough memory for `purpose`.
  case noMemory(purpose: String)
}

extension PackError: FileFailure {
  package init(_ error: FileError) { self = .file(error) }
}

extension FileIdentity {
  /// Throws if the file at `path` is no longer this file in this state.
  package func check(_ path: String) throws(PackError) {
    guard try Stat.find(path, failingAs: PackError.self)?.identity == self else { throw .changed(file: path) }
  }
}

extension PackError: CustomStringConvertible {
  /// The problem in one line.
  public var description: String {
    switch self {
    case .file(let error): error.description
    case .invalid(let file, let problem): "\(file.oneLine): \(problem.oneLine)"
    case .noSpace(let path, let needed, let free):
      "\(path.oneLine): it takes \(needed) bytes, but its filesystem has room for \(free); free \(needed - free) more there, or "
        + "write to another filesystem"
    case .exists(let path): "\(path.oneLine): it exists already; choose another name, or replace it"
    case .version(let file, let field, let found, let known):
      "\(file.oneLine): \(field) is \(found), but this program knows only \(known == 1 ? "1" : "1 to \(known)"); "
        + "use a newer version of it, or convert the model again"
    case .damaged(let file, let chunk?, let range):
      "\(file.oneLine): damaged: checksum mismatch in chunk \(chunk) (bytes \(range.lowerBound) to \(range.upperBound - 1)); "
        + Self.damageAdvice
    case .damaged(let file, nil, _): "\(file.oneLine): damaged: checksum mismatch; \(Self.damageAdvice)"
    case .changed(let file): "\(file.oneLine): this file was changed while it was read; try again when nothing writes to it"
    case .interrupted: "interrupted"
    case .header(let error): error.description
    case .noMemory(let purpose): "there is not enough memory for \(purpose); free some, or use fewer threads"
    }
  }

  static let damageAdvice = "restore it from a copy, or convert the model again"
}
