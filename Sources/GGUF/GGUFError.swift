// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files

/// The reason why a GGUF cannot be read: what is wrong, in which file, at which byte, and what to do.
///
/// `description` is one line for people.
public enum GGUFError: Error, Hashable, Sendable {
  /// The file itself cannot be used.
  case file(FileError)
  /// The path leads to a folder that does not hold exactly one model.
  case folder(path: String, modelCount: Int)
  /// The file's content breaks a rule of the format at `offset` bytes from its start.
  case malformed(file: String, offset: Int, defect: GGUFDefect)
  /// The file ends too early: something that begins at `offset` takes `needed` bytes, and only `left` are there.
  case truncated(file: String, offset: Int, what: String, needed: Int, left: Int)
  /// The parts of a split model do not belong together.
  case split(file: String, defect: SplitDefect)
}

extension GGUFError: CustomStringConvertible {
  /// The problem in one line.
  public var description: String {
    switch self {
    case .file(.notRegular(let path)): "\(FileError.notRegular(path: path)); give the path of a .gguf file"
    case .file(let error): error.description
    case .folder(let path, 0): "\(path.oneLine): this folder holds no .gguf file; give the path of a model"
    case .folder(let path, let count): "\(path.oneLine): this folder holds \(count) models; give the path of one of them"
    case .malformed(let file, let offset, let defect): "\(file.oneLine): at byte \(offset): \(defect.problem); \(defect.advice)"
    case .truncated(let file, 0, _, _, 0): "\(file.oneLine): the file is empty; download it again"
    case .truncated(let file, let offset, let what, let needed, let left):
      "\(file.oneLine): at byte \(offset): \(what) takes \(needed) bytes, but the file ends after \(left); "
        + "the file is cut short or damaged: download it again"
    case .split(let file, let defect): "\(file.oneLine): \(defect.problem); \(defect.advice)"
    }
  }
}

extension GGUFError: FileFailure {
  package init(_ error: FileError) { self = .file(error) }
}
