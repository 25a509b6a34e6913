// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// An action that would help if something cannot be done or costs speed.
///
/// `description` is in words. A program adds its own name for the remedy: an option or a command.
public enum Remedy: Hashable, Sendable {
  // What a user can ask for.
  case mapNodes, spill, threads(Int), memory(MemoryKind), otherPlace
  case shorterContext, contextOf(Int), longerContext, smallerBatch, fewerSequences, smallerCache, shorterPrompt
  // What can be done with the pack.
  case convert(nodes: Int), copyForEachNode, decompress, pin, pinAgain, unpin
  // What can be done with the machine.
  case freeMemory, reserveHugePages, raiseLimit, dropFromCache
  /// Enlarge the filesystem at `path` to `mebibytes` MiB.
  case enlarge(path: String, mebibytes: Int)
}

extension Remedy: CustomStringConvertible {
  /// The remedy on one line.
  public var description: String {
    switch self {
    case .mapNodes: "map the pack's nodes elsewhere"
    case .spill: "let it spill to other nodes"
    case .threads(let count): "start \(count) \(count == 1 ? "thread" : "threads")"
    case .memory(let kind): "use \(kind.rawValue) memory"
    case .otherPlace: "mount one"
    case .shorterContext: "use a shorter context"
    case .contextOf(let tokens): "use a context of at most \(tokens) tokens"
    case .longerContext: "use a longer context"
    case .smallerBatch: "compute fewer tokens of a prompt together"
    case .fewerSequences: "run fewer sequences at a time"
    case .smallerCache: "store keys and values in 8 bits"
    case .shorterPrompt: "shorten the prompt"
    case .convert(let nodes): "convert the model for \(nodes) nodes"
    case .copyForEachNode: "convert the model with a file for each node"
    case .decompress: "decompress the pack"
    case .pin: "pin the pack first"
    case .pinAgain: "free it and pin the pack again"
    case .unpin: "free it"
    case .freeMemory: "free some"
    case .reserveHugePages: "reserve more of them"
    case .raiseLimit: "raise its limit"
    case .dropFromCache: "drop them from the cache"
    case .enlarge: "enlarge it"
    }
  }
}

/// A problem together with its remedies. `description` is one line for people.
public protocol Remediable: CustomStringConvertible {
  /// What is wrong, without a full stop at the end.
  var problem: String { get }
  /// The remedies, any one of which would help.
  var remedies: [Remedy] { get }
}

extension Remediable {
  /// The problem and the remedies on one line.
  public var description: String { line { _ in nil } }

  /// Returns the problem and the remedies on one line.
  ///
  /// - Parameter name: Returns the program's own name for a remedy, such as an option; nil if it has none.
  public func line(naming name: (Remedy) -> String?) -> String {
    var choices = remedies.map { remedy in "\(remedy)\(name(remedy).map { " (\($0))" } ?? "")" }
    guard let last = choices.popLast() else { return problem }
    return "\(problem); \(choices.isEmpty ? last : "\(choices.joined(separator: ", ")), or \(last)")"
  }
}

/// A shortcoming that does not keep the pack from running.
public struct Note: Remediable, Hashable, Sendable {
  /// What is not as it should be.
  public let problem: String
  /// What would change it.
  public let remedies: [Remedy]
  /// Whether it holds at each start of this pack on this machine, costs nothing, and need not be repeated to the same user.
  public private(set) var isLasting = false

  /// A note with its remedies.
  public init(_ problem: String, _ remedies: Remedy...) { self.init(problem, remedies) }

  /// Returns a note about something that holds at each start.
  static func lasting(_ problem: String) -> Note {
    var note = Note(problem)
    note.isLasting = true
    return note
  }

  /// A note with its remedies.
  public init(_ problem: String, _ remedies: [Remedy]) {
    self.problem = problem
    self.remedies = remedies
  }
}
