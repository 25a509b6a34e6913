import PackFormat

/// Why a pack cannot be placed in memory or run; `description` is one line for people.
public enum RuntimeError: Error, Hashable, Sendable {
  /// The operating system refused: `operation` names what was tried, `reason` is its own text.
  case system(operation: String, reason: String)
  /// A file could not be used.
  case file(path: String, operation: String, reason: String)
  /// The pack itself cannot be used.
  case pack(PackError)
  /// An option's value cannot be: what was given, and what would do.
  case badOption(name: String, value: String, problem: String)
  /// Some nodes have too little free memory for what is to lie on them.
  case shortage([NodeShortage])
  /// Some nodes have too few free huge pages.
  case hugePageShortage([NodeShortage])
  /// A tensor is not of the kind that is asked for.
  case wrongTensor(name: String, problem: String)
  /// Replicas left in memory by `packrun pin` cannot be used.
  case staleReplica(path: String, problem: String)

  /// What a program's exit status tells of it: 3 if memory is short, else 1.
  public var exitCode: Int32 {
    switch self {
    case .shortage, .hugePageShortage: 3
    default: 1
    }
  }
}

/// How much memory one node lacks; in bytes.
public struct NodeShortage: Hashable, Sendable {
  /// The node.
  public var node: Int
  /// What was to lie there, with the margin that stays free.
  public var needed: Int
  /// What is free there.
  public var free: Int

  /// Describes a shortage.
  public init(node: Int, needed: Int, free: Int) {
    self.node = node
    self.needed = needed
    self.free = free
  }
}

extension RuntimeError: CustomStringConvertible {
  /// The problem in one line.
  public var description: String {
    switch self {
    case .system(let operation, let reason): "cannot \(operation): \(reason)"
    case .file(let path, let operation, let reason): "\(path): cannot \(operation): \(reason)"
    case .pack(let error): error.description
    case .badOption(let name, let value, let problem): "\(name) \(value): \(problem)"
    case .shortage(let nodes):
      "too little free memory: \(Self.list(nodes)); free some, map the pack's nodes elsewhere (--map-nodes), or let it spill to other nodes (--spill)"
    case .hugePageShortage(let nodes):
      "too few free huge pages: \(Self.list(nodes)); reserve more of them (packrun doctor says how) or use --memory anon"
    case .wrongTensor(let name, let problem): "tensor \(name): \(problem)"
    case .staleReplica(let path, let problem): "\(path): \(problem); free it with packrun unpin and pin the pack again"
    }
  }

  private static func list(_ nodes: [NodeShortage]) -> String {
    nodes.map {
      "node \($0.node) lacks \(ByteCount($0.needed - $0.free)) (\(ByteCount($0.needed)) needed, \(ByteCount($0.free)) free)"
    }.joined(separator: ", ")
  }
}

/// A count of bytes as people read it: in binary units with two decimals.
public struct ByteCount: CustomStringConvertible, Sendable {
  private let bytes: Int

  /// Bytes.
  public init(_ bytes: Int) { self.bytes = bytes }

  /// For example `1.25 GiB`.
  public var description: String {
    for (shift, unit) in [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")] where bytes >= 1 << shift {
      let hundredths = Int((Double(bytes) * 100 / Double(1 << shift)).rounded())
      let rest = hundredths % 100
      return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest) \(unit)"
    }
    return "\(bytes) B"
  }
}
