// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
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
  /// The cgroup at `path` leaves this process too few bytes.
  case memoryLimit(path: String, needed: Int, free: Int)
  /// Some nodes have too few free huge pages.
  case hugePageShortage([NodeShortage])
  /// The filesystem in memory at `path`, which is `size` bytes large, has too little room left for replicas.
  case filesystemShortage(path: String, needed: Int, free: Int, size: Int)
  /// The caller that asked for the work no longer wants it.
  case interrupted
  /// Replicas left in memory by `packrun pin` cannot be used.
  case staleReplica(path: String, problem: String)

  /// What a program's exit status tells of it: 3 if memory is short, 64 if an option cannot be, 2 if the pack cannot be used,
  /// 130 after Ctrl-C, else 1.
  public var exitCode: Int32 {
    switch self {
    case .shortage, .memoryLimit, .hugePageShortage, .filesystemShortage: 3
    case .interrupted: 130
    case .badOption: 64
    case .pack, .file: 2
    case .system, .staleReplica: 1
    }
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
    case .memoryLimit(let path, let needed, let free):
      "the cgroup \(path) leaves too little memory: \(ByteCount(needed - free)) short (\(ByteCount(needed)) needed, \(ByteCount(free)) available); raise its memory.max (docker run --memory, systemctl set-property UNIT MemoryMax=)"
    case .hugePageShortage(let nodes):
      "too few free huge pages: \(Self.list(nodes)); reserve more of them (packrun doctor says how) or use --memory anon"
    case .filesystemShortage(let path, let needed, let free, let size):
      "\(path) has too little room: \(ByteCount(needed - free)) short (\(ByteCount(needed)) needed, \(ByteCount(free)) free); enlarge it: mount -o remount,size=\((size + needed - free) >> 20 + 1)M \(path)"
    case .interrupted: "interrupted"
    case .staleReplica(let path, let problem): "\(path): \(problem); free it with packrun unpin and pin the pack again"
    }
  }

  private static func list(_ nodes: [NodeShortage]) -> String {
    nodes.map { node in
      let part =
        node.activations > 0
        ? ", \(ByteCount(node.activations)) of it for the KV cache and activations (--ctx, --batch, --parallel)"
        : ""
      return
        "node \(node.node) is \(ByteCount(node.needed - node.free)) short (\(ByteCount(node.needed)) needed\(part), \(ByteCount(node.free)) free)"
    }.joined(separator: ", ")
  }
}

extension RuntimeError: FileFailure {
  package init(_ error: FileError) {
    self =
      switch error {
      case .system(let path, let operation, let reason): .file(path: path, operation: operation, reason: reason.description)
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
