// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Why a GGUF cannot be read or written: what is wrong, in which file, at which byte, and what to do.
///
/// `description` is one line for people.
public enum GGUFError: Error, Hashable, Sendable {
  /// The operating system refused: `operation` names what was tried, `reason` is its own text.
  case system(file: String, operation: String, reason: String)
  /// The path leads to a folder, a pipe or a device.
  case notRegularFile(file: String)
  /// The file's content breaks a rule of the format at `offset` bytes from its start.
  case malformed(file: String, offset: Int, defect: GGUFDefect)
  /// The file ends before something that begins at `offset` and takes `needed` bytes, of which `left` are there.
  case truncated(file: String, offset: Int, what: String, needed: Int, left: Int)
  /// The parts of a split model do not belong together.
  case split(file: String, defect: SplitDefect)
  /// What was to be written breaks a rule of the format.
  case unwritable(problem: String)
}

extension GGUFError: CustomStringConvertible {
  /// The problem in one line.
  public var description: String {
    switch self {
    case .system(let file, let operation, let reason): "\(file): cannot \(operation): \(reason)"
    case .notRegularFile(let file): "\(file): this is no regular file; give the path of a .gguf file"
    case .malformed(let file, let offset, let defect): "\(file): at byte \(offset): \(defect.problem); \(defect.advice)"
    case .truncated(let file, let offset, let what, let needed, let left):
      "\(file): at byte \(offset): \(what) takes \(needed) bytes, and \(left) are left; "
        + "the file is cut short or damaged: fetch it again"
    case .split(let file, let defect): "\(file): \(defect.problem); \(defect.advice)"
    case .unwritable(let problem): "cannot write this as GGUF: \(problem)"
    }
  }
}

extension String {
  /// The text between quotation marks, fit for one line: control characters escaped, the end left out if it is long.
  var quoted: String {
    let limit = 100
    var result = "'"
    for scalar in unicodeScalars.prefix(limit) {
      let isPrintable =
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate: false
        default: true
        }
      result += isPrintable ? String(scalar) : "\\u{\(String(scalar.value, radix: 16))}"
    }
    return result + (unicodeScalars.count > limit ? "…'" : "'")
  }
}
