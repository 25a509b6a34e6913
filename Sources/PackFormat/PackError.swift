// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF

/// Why a pack cannot be read, written or trusted.
///
/// `description` is one line for people.
public enum PackError: Error, Hashable, Sendable {
  /// The operating system refused: `operation` names what was tried, `reason` is its own text.
  case system(file: String, operation: String, reason: String)
  /// Something of the pack is not what its own rules or its own manifest say.
  case invalid(file: String, problem: String)
  /// The pack is of a version that this program does not know.
  case version(file: String, field: String, found: Int, known: Int)
  /// The bytes of a file do not have the digest that the pack promises; `chunk` is the number of the damaged chunk, from 0, and
  /// `range` the bytes it covers, where the file is divided into chunks.
  case damaged(file: String, chunk: Int?, range: Range<Int>)
  /// Whoever asked for the work no longer wants it.
  case interrupted
  /// The header of the source, kept in the pack, is not readable.
  case header(GGUFError)
}

extension PackError: CustomStringConvertible {
  /// The problem in one line.
  public var description: String {
    switch self {
    case .system(let file, let operation, let reason): "\(file): cannot \(operation): \(reason)"
    case .invalid(let file, let problem): "\(file): \(problem)"
    case .version(let file, let field, let found, let known):
      "\(file): \(field) is \(found), and this program knows \(known); use a newer version of it, or convert the model again"
    case .damaged(let file, let chunk?, let range):
      "\(file): damaged: chunk \(chunk) (bytes \(range.lowerBound) to \(range.upperBound - 1)) does not have its digest; restore it from a copy or convert again"
    case .damaged(let file, nil, _): "\(file): damaged: it does not have its digest; restore it from a copy or convert again"
    case .interrupted: "interrupted"
    case .header(let error): error.description
    }
  }
}
