// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc
import PackRuntime

/// A sample of a process at one moment.
public struct ProcessSample: Sendable {
  /// The CPU time of a thread so far.
  struct Thread: Hashable, Sendable {
    /// The CPU time in seconds.
    var seconds: Double
    /// The CPU that it ran on last.
    var cpu: Int

    /// Parses the content of /proc/PID/task/TID/stat; nil if it is malformed.
    init?(_ line: String, ticksPerSecond: Int) {
      // The name is in parentheses and may contain anything. The state and numbers follow; by proc(5), utime is field 14, stime 15 and
      // processor 39.
      guard let end = line.lastIndex(of: ")") else { return nil }
      let fields = line[line.index(after: end)...].split(separator: " ")
      guard fields.count > 36, let user = Int(fields[11]), let system = Int(fields[12]), let cpu = Int(fields[36]) else {
        return nil
      }
      seconds = Double(user + system) / Double(max(ticksPerSecond, 1))
      self.cpu = cpu
    }
  }

  let time: ContinuousClock.Instant
  let threads: [Int: Thread]
  let lanes: [RunBoard.Lane]?

  /// Samples a process; nil if it has ended.
  public init?(_ process: WatchedProcess) {
    time = .now
    guard let ids = WatchedProcess.names("\(process.folder)/task"), !ids.isEmpty else { return nil }
    let ticks = sysconf(Int32(_SC_CLK_TCK))
    var threads: [Int: Thread] = [:]
    for id in ids {
      if let text = TextFile.read("\(process.folder)/task/\(id)/stat"), let number = Int(id) {
        threads[number] = Thread(text, ticksPerSecond: ticks)
      }
    }
    self.threads = threads
    lanes = process.readLanes()
  }

  init(time: ContinuousClock.Instant, threads: [Int: Thread], lanes: [RunBoard.Lane]?) {
    (self.time, self.threads, self.lanes) = (time, threads, lanes)
  }
}

/// The nodes of a process's pages, as the kernel reports them.
public struct ProcessPages: Sendable, Hashable {
  /// For each node that weights belong on, the number of 4 KiB pages by the node that holds them.
  ///
  /// For a process that shows no weights, all its pages, each under the node that holds it.
  package var pages: [Int: [Int: Int]] = [:]

  /// Reads /proc/PID/numa_maps; nil if that is not permitted.
  public init?(_ process: WatchedProcess) {
    guard let text = TextFile.read("\(process.folder)/numa_maps"), !text.isEmpty else { return nil }
    self.init(text, process.replicas)
  }

  init(_ text: String, _ replicas: [WatchedProcess.Replica]) {
    for replica in replicas {
      var map = MemoryMap()
      map.readNodes(text, replica.addresses)
      pages[replica.node, default: [:]].merge(map.pages, uniquingKeysWith: +)
    }
    guard replicas.isEmpty else { return }
    var map = MemoryMap()
    map.readNodes(text, 0..<UInt.max)
    for (node, count) in map.pages { pages[node] = [node: count] }
  }
}
