// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import PackFormat

/// The reason why a pack cannot be placed in memory or run. `description` is one line for people.
public enum RuntimeError: Error, Hashable, Sendable {
  /// The operating system refused `operation`; `reason` is its own text.
  case system(operation: String, reason: String)
  /// A file could not be used; with `isWriting`, it could not be written.
  case file(path: String, operation: String, reason: String, isWriting: Bool = false)
  /// The pack itself cannot be used.
  case pack(PackError)
  /// An option is impossible: the value that was given, the problem with it, and what would work instead.
  case badOption(RuntimeOption, value: String, problem: String, remedies: [Remedy] = [])
  /// Some nodes have too little free memory for what should lie on them.
  case shortage([NodeShortage])
  /// The cgroup at `path` leaves this process too little memory; `activations` of the needed bytes are for KV cache and activations.
  case memoryLimit(path: String, needed: Int, free: Int, activations: Int = 0)
  /// Some nodes have too few free huge pages.
  case hugePageShortage([NodeShortage])
  /// The filesystem in memory at `path`, with a size of `size` bytes, has too little room left for replicas.
  case filesystemShortage(path: String, needed: Int, free: Int, size: Int)
  /// The caller stopped the work.
  case interrupted
  /// Pinned replicas cannot be used.
  case staleReplica(path: String, problem: String)
}

/// The options that an error can name.
public enum RuntimeOption: String, Sendable {
  case threads, cpus, nodeMap = "node map", memory, place, teams
}

extension RuntimeError: Remediable {
  /// What is wrong.
  public var problem: String {
    switch self {
    case .system(let operation, let reason): "cannot \(operation): \(reason)"
    case .file(let path, let operation, let reason, _): "\(path): cannot \(operation): \(reason)"
    case .pack(let error): error.description
    case .badOption(let option, let value, let problem, _): "\(option.rawValue) \(value): \(problem)"
    case .shortage(let nodes): "too little free memory: \(Self.list(nodes))"
    case .memoryLimit(let path, let needed, let free, let activations):
      "the cgroup \(path) leaves too little memory: \(ByteCount(needed - free)) short (\(ByteCount(needed)) needed\(Self.part(activations)), \(ByteCount(free)) available)"
    case .hugePageShortage(let nodes): "too few free huge pages: \(Self.list(nodes))"
    case .filesystemShortage(let path, let needed, let free, _):
      "\(path) has too little room: \(ByteCount(needed - free)) short (\(ByteCount(needed)) needed, \(ByteCount(free)) free)"
    case .interrupted: "interrupted"
    case .staleReplica(let path, let problem): "\(path): \(problem)"
    }
  }

  /// What would help.
  public var remedies: [Remedy] {
    switch self {
    case .badOption(_, _, _, let remedies): remedies
    // If there is room for the weights alone, they need not go elsewhere; smaller activations help.
    case .shortage(let nodes) where nodes.allSatisfy({ $0.activations >= $0.missing }): [.freeMemory] + Self.smallerActivations
    // Other nodes help only if they exist and have room.
    case .shortage(let nodes) where nodes.allSatisfy({ $0.elsewhere >= nodes.reduce(0) { $0 + $1.missing } }):
      [.freeMemory, .mapNodes, .spill]
    case .shortage: [.freeMemory]
    case .memoryLimit(_, let needed, let free, let activations):
      [.raiseLimit] + (activations >= needed - free ? Self.smallerActivations : [])
    case .hugePageShortage: [.reserveHugePages, .memory(.anon)]
    case .filesystemShortage(let path, let needed, let free, let size):
      [.enlarge(path: path, mebibytes: (size + needed - free) >> 20 + 1)]
    case .staleReplica: [.pinAgain]
    case .system, .file, .pack, .interrupted: []
    }
  }

  private static let smallerActivations: [Remedy] = [.shorterContext, .smallerCache, .smallerBatch, .fewerSequences]

  private static func part(_ activations: Int) -> String {
    activations > 0 ? ", \(ByteCount(activations)) of it for the KV cache and activations" : ""
  }

  private static func list(_ nodes: [NodeShortage]) -> String {
    nodes.map { node in
      "node \(node.node) is \(ByteCount(node.missing)) short "
        + "(\(ByteCount(node.needed)) needed\(part(node.activations)), \(ByteCount(node.free)) free)"
    }.joined(separator: ", ")
  }
}

extension RuntimeError: FileFailure {
  package init(_ error: FileError) {
    self =
      switch error {
      case .system(let path, let operation, let reason):
        .file(
          path: path, operation: operation.description, reason: FileError.reason(path, operation, reason),
          isWriting: operation.isWriting)
      case .notRegular(let path): .file(path: path, operation: "use it", reason: "this is not a regular file")
      case .link(let path):
        .file(path: path, operation: "use it", reason: "this is a symbolic link, and links are not followed here")
      case .cutShort(let path, let end):
        .file(path: path, operation: "read it", reason: "it ends at byte \(end), before the bytes that were to be read")
      case .tooLong(let path, let byteCount, let limit):
        .file(path: path, operation: "read it", reason: "it has \(byteCount) bytes, more than the limit of \(limit)")
      }
  }
}
