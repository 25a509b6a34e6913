// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import Glibc
import JSON
import PackRuntime

/// Another process as seen from outside: what it shows of its run, if it runs a pack, and what the kernel says about its threads and pages.
public struct WatchedProcess: Sendable {
  /// A node that a model computes on.
  struct Part: Hashable, Sendable {
    var node: Int
    var threads: Int
    /// The bytes of its weights that a step reads.
    var weightByteCount: Int
  }

  /// A blob in the process's memory.
  struct Replica: Hashable, Sendable {
    var node: Int
    var addresses: Range<UInt>
  }

  /// The process id.
  public let id: Int
  /// The name of its program, as the kernel has it.
  public let program: String
  /// The absolute path of the pack that it runs; nil if it shows none.
  public private(set) var pack: String?
  /// The kind of memory that holds the weights; nil if it shows none.
  public private(set) var memory: String?
  private(set) var replicas: [Replica] = []
  private(set) var lanes: [[Part]] = []
  let root: String
  private var board: String?

  var folder: String { "\(root)/proc/\(id)" }

  /// The reason why a process cannot be watched.
  public enum Problem: Error, Hashable {
    /// There is no process with this id.
    case noProcess
    /// It belongs to another user.
    case notAllowed
    /// None of the processes that this user may inspect runs the pack.
    case notRunning
  }

  /// Examines a process.
  public init(_ id: Int) throws(Problem) { try self.init(id, root: "") }

  init(_ id: Int, root: String) throws(Problem) {
    (self.id, self.root) = (id, root)
    guard let program = TextFile.read("\(root)/proc/\(id)/comm") else { throw .noProcess }
    self.program = program
    guard let files = Self.names("\(root)/proc/\(id)/fd") else { throw .notAllowed }
    for file in files {
      let path = "\(root)/proc/\(id)/fd/\(file)"
      // The kernel writes `/memfd:NAME (deleted)`.
      guard Self.link(path)?.hasPrefix("/memfd:\(RunBoard.name)") == true, let bytes = Self.bytes(path),
        let (_, description) = RunBoard.read(bytes), describe(description)
      else { continue }
      board = path
      break
    }
  }

  /// Returns this user's processes that run the pack at `path`, which is absolute and without links.
  public static func all(running path: String) throws(Problem) -> [WatchedProcess] {
    let ids = (names("/proc") ?? []).compactMap { Int($0) }.sorted()
    let found = ids.compactMap { try? WatchedProcess($0) }.filter { $0.pack == path }
    guard !found.isEmpty else { throw .notRunning }
    return found
  }

  /// Reads the current state of the board; nil if there is none or the process has ended.
  func readLanes() -> [RunBoard.Lane]? { board.flatMap(Self.bytes).flatMap(RunBoard.read)?.lanes }

  /// Takes over the description from a board; false if it is malformed.
  mutating func describe(_ description: [UInt8]) -> Bool {
    guard let document = try? JSONValue(parsing: description), document["schemaVersion"]?.integer == 1,
      let lanes = document["lanes"]?.array, let replicas = document["replicas"]?.array
    else { return false }
    pack = document["pack"]?.string
    memory = document["memory"]?.string
    self.lanes = lanes.map { lane in
      (lane.array ?? []).compactMap { part in
        guard let node = part["node"]?.integer, let threads = part["threads"]?.integer,
          let bytes = part["weightByteCount"]?.integer
        else { return nil }
        return Part(node: node, threads: threads, weightByteCount: bytes)
      }
    }
    self.replicas = replicas.compactMap { replica in
      guard let node = replica["node"]?.integer, let start = replica["start"]?.integer, let count = replica["byteCount"]?.integer,
        start >= 0, count >= 0
      else { return nil }
      return Replica(node: node, addresses: UInt(start)..<UInt(start) + UInt(count))
    }
    return true
  }

  // MARK: Files of the kernel

  static func names(_ path: String) -> [String]? { try? Folder<FileError>(path).names() }

  private static func link(_ path: String) -> String? {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = unsafe readlink(path, &buffer, buffer.count)
    guard count > 0 else { return nil }
    return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  private static func bytes(_ path: String) -> [UInt8]? { TextFile.bytes(path, limit: 1 << 24) }
}
