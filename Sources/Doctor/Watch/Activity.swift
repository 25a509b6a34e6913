// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackRuntime

/// The activity of a process between two samples.
public struct Activity: Sendable {
  /// The activity on one node.
  public struct Node: Sendable, Hashable {
    /// The machine's number of the node.
    public var id: Int
    /// The threads that compute there; if the process shows no run, the threads that ran there.
    public var threads: Int
    /// The CPU time used there, in percent of the time of these threads.
    public var busyPercent: Double
    /// The tokens per second whose logits were computed there; nil if the process shows no run.
    public var tokensPerSecond: Double?
    /// The weights that the steps read there, once per step, in 10^9 bytes per second; nil if the process shows no run.
    public var gigabytesPerSecond: Double?
    /// The bytes of weights in memory that belong there, on whichever node they are.
    ///
    /// If the process shows no run, all its memory on the node. Nil if the kernel does not tell.
    public var byteCount: Int?
    /// The share of these bytes that lies there, in percent.
    public var localPercent: Double?
  }

  /// The nodes in ascending order.
  public private(set) var nodes: [Node] = []
  /// The seconds between the two samples.
  public let seconds: Double
  /// The tokens per second whose logits were computed; nil if the process shows no run.
  public private(set) var tokensPerSecond: Double?
  /// The tokens of prompts per second; nil if the process shows no run.
  public private(set) var promptTokensPerSecond: Double?

  /// Compares two samples.
  ///
  /// - Parameter pages: The nodes of the pages, if they were requested.
  public init(_ process: WatchedProcess, from first: ProcessSample, to last: ProcessSample, pages: ProcessPages?) {
    // Read all CPUs, because the watched process may use others than this one.
    let online = TextFile.read("/sys/devices/system/cpu/online").flatMap { NumberList.parse($0) }
    self.init(process, from: first, to: last, pages: pages, topology: Topology.read(affinity: online))
  }

  init(
    _ process: WatchedProcess, from first: ProcessSample, to last: ProcessSample, pages: ProcessPages?, topology: Topology
  ) {
    seconds = max((last.time - first.time) / .seconds(1), 1e-9)
    var nodes: [Int: Node] = [:]
    func change(_ id: Int, _ body: (inout Node) -> Void) {
      body(&nodes[id, default: Node(id: id, threads: 0, busyPercent: 0)])
    }
    // CPU time by node.
    let nodeOfCPU = Dictionary(
      topology.nodes.flatMap { node in node.cpus.map { ($0, node.id) } }, uniquingKeysWith: { first, _ in first })
    var used: [Int: Double] = [:]
    var ran: [Int: Int] = [:]
    for (id, thread) in last.threads {
      let spent = thread.seconds - (first.threads[id]?.seconds ?? 0)
      guard spent > 0, let node = nodeOfCPU[thread.cpu] else { continue }
      used[node, default: 0] += spent
      ran[node, default: 0] += 1
    }
    if let before = first.lanes, let after = last.lanes, before.count == after.count, after.count == process.lanes.count {
      count(process.lanes, before, after, change)
    } else {
      for (node, threads) in ran { change(node) { $0.threads = threads } }
    }
    for (node, counts) in pages?.pages ?? [:] {
      let all = counts.values.reduce(0, +)
      change(node) {
        $0.byteCount = all * 4096
        $0.localPercent = process.replicas.isEmpty || all == 0 ? nil : 100 * Double(counts[node] ?? 0) / Double(all)
      }
    }
    for (node, spent) in used {
      change(node) { $0.busyPercent = 100 * spent / (seconds * Double(max($0.threads, 1))) }
    }
    self.nodes = nodes.values.sorted { $0.id < $1.id }
  }

  private mutating func count(
    _ lanes: [[WatchedProcess.Part]], _ before: [RunBoard.Lane], _ after: [RunBoard.Lane],
    _ change: (Int, (inout Node) -> Void) -> Void
  ) {
    var (answered, prompt) = (0, 0)
    for (parts, (old, new)) in zip(lanes, zip(before, after)) {
      let tokens = new.answered - old.answered
      answered += tokens
      prompt += max(0, new.tokens - old.tokens - tokens)
      for part in parts {
        let read = Double((new.steps - old.steps)) * Double(part.weightByteCount)
        change(part.node) {
          $0.threads += part.threads
          $0.tokensPerSecond = ($0.tokensPerSecond ?? 0) + Double(tokens) / seconds
          $0.gigabytesPerSecond = ($0.gigabytesPerSecond ?? 0) + read / seconds / 1e9
        }
      }
    }
    tokensPerSecond = Double(answered) / seconds
    promptTokensPerSecond = Double(prompt) / seconds
  }
}
