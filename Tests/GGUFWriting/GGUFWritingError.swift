// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files

/// The reason why a GGUF cannot be written.
package enum GGUFWritingError: Error, CustomStringConvertible {
  /// The file itself cannot be used.
  case file(FileError)
  /// The content to write breaks a rule of the format.
  case unwritable(problem: String)

  /// The problem in one line.
  package var description: String {
    switch self {
    case .file(let error): error.description
    case .unwritable(let problem): "cannot write this as GGUF: \(problem)"
    }
  }
}

extension GGUFWritingError: FileFailure {
  package init(_ error: FileError) { self = .file(error) }
}
