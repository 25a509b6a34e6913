/// Why a GGUF cannot be read or written: what is wrong, in which file, at which byte.
///
/// `description` is one line for people.
public enum GGUFError: Error, Hashable, Sendable {
  /// The operating system refused: `operation` names what was tried, `reason` is its own text.
  case system(file: String, operation: String, reason: String)
  /// The file's content breaks a rule of the format at `offset` bytes from its start.
  case malformed(file: String, offset: Int, problem: String)
  /// The file ends before something that begins at `offset` and takes `needed` bytes, of which `left` are there.
  case truncated(file: String, offset: Int, what: String, needed: Int, left: Int)
  /// The parts of a split model do not belong together.
  case split(file: String, problem: String)
  /// What was to be written breaks a rule of the format.
  case unwritable(problem: String)
}

extension GGUFError: CustomStringConvertible {
  /// The problem in one line.
  public var description: String {
    switch self {
    case .system(let file, let operation, let reason): "\(file): cannot \(operation): \(reason)"
    case .malformed(let file, let offset, let problem): "\(file): at byte \(offset): \(problem)"
    case .truncated(let file, let offset, let what, let needed, let left):
      "\(file): at byte \(offset): \(what) takes \(needed) bytes, and \(left) are left; the file is cut short or damaged, fetch it again"
    case .split(let file, let problem): "\(file): \(problem)"
    case .unwritable(let problem): "cannot write this as GGUF: \(problem)"
    }
  }
}
