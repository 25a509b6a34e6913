// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// What would help where something cannot be done, or costs speed.
///
/// `description` is in words. A program adds what it calls the same: an option, or a command.
public enum Remedy: Hashable, Sendable {
  // What a user may ask for.
  case mapNodes, spill, threads(Int), memory(MemoryKind), otherPlace
  case shorterContext, contextOf(Int), longerContext, smallerBatch, fewerSequences, smallerCache, shorterPrompt
  // What may be done with the pack.
  case convert(nodes: Int), copyForEachNode, decompress, pin, pinAgain, unpin
  // What may be done with the machine.
  case freeMemory, reserveHugePages, raiseLimit, dropFromCache
  /// Enlarge the filesystem at `path` to `mebibytes` MiB.
  case enlarge(path: String, mebibytes: Int)
}

extension Remedy: CustomStringConvertible {
  /// In one line.
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

/// Something that is wrong or worse than it could be, and what would help. `description` is one line for people.
public protocol Remediable: CustomStringConvertible {
  /// What is wrong, without a full stop.
  var problem: String { get }
  /// What would help; any one of them.
  var remedies: [Remedy] { get }
}

extension Remediable {
  /// In one line.
  public var description: String { line { _ in nil } }

  /// The problem and the remedies in one line.
  ///
  /// - Parameter name: What the program calls a remedy, such as an option; nil if it has no name for it.
  public func line(naming name: (Remedy) -> String?) -> String {
    var choices = remedies.map { remedy in "\(remedy)\(name(remedy).map { " (\($0))" } ?? "")" }
    guard let last = choices.popLast() else { return problem }
    return "\(problem); \(choices.isEmpty ? last : "\(choices.joined(separator: ", ")), or \(last)")"
  }
}

/// Something that is not as it should be, and does not keep the pack from running.
public struct Note: Remediable, Hashable, Sendable {
  /// What it is.
  public let problem: String
  /// What would change it.
  public let remedies: [Remedy]
  /// Whether it is so at each start of this pack on this machine, costs nothing, and need not be said again to the same person.
  public private(set) var isLasting = false

  /// A note in one line.
  public init(_ problem: String, _ remedies: Remedy...) { self.init(problem, remedies) }

  /// A note in one line about what is so at each start.
  static func lasting(_ problem: String) -> Note {
    var note = Note(problem)
    note.isLasting = true
    return note
  }

  /// A note in one line.
  public init(_ problem: String, _ remedies: [Remedy]) {
    self.problem = problem
    self.remedies = remedies
  }
}
