// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files

/// The assignment of threads to CPUs: a team for each node, a thread for each entry of its CPUs.
public struct TeamPlan: Sendable, Hashable {
  /// The threads of one node.
  public struct Team: Sendable, Hashable {
    /// The node whose memory the team reads.
    public var node: Int
    /// The CPU of each thread; a CPU may occur more than once.
    public var cpus: [Int]

    /// Describes a team.
    public init(node: Int, cpus: [Int]) {
      self.node = node
      self.cpus = cpus
    }
  }

  /// The options for a plan.
  public struct Options: Sendable, Hashable {
    /// The number of threads in all; nil means one for each physical core.
    public var threads: Int?
    /// The CPUs to use; nil means those that the process may use.
    public var cpus: [Int]?
    /// The machine's node for each node of the pack; nil assigns them in order.
    public var nodeMap: [Int: Int]?

    /// Options that leave everything not given to the program.
    public init(threads: Int? = nil, cpus: [Int]? = nil, nodeMap: [Int: Int]? = nil) {
      self.threads = threads
      self.cpus = cpus
      self.nodeMap = nodeMap
    }
  }

  /// The teams.
  public var teams: [Team]
  /// A note that gives the reason for fewer threads than cores if a CPU quota, not the user, caused it.
  public private(set) var quotaNote: Note?

  /// A plan with the given teams.
  public init(teams: [Team]) { self.teams = teams }

  /// The number of threads in all.
  public var threadCount: Int { teams.reduce(0) { $0 + $1.cpus.count } }

  /// Whether two threads share a CPU.
  public var isOversubscribed: Bool {
    let cpus = teams.flatMap(\.cpus)
    return Set(cpus).count < cpus.count
  }

  /// Plans the teams for a machine.
  ///
  /// - Parameter nodeCount: The number of nodes that the pack can occupy; nil means as many as there are.
  /// - Throws: `RuntimeError.badOption` if an option names CPUs or nodes that cannot be used.
  public init(_ topology: Topology, nodeCount: Int? = nil, options: Options = Options()) throws(RuntimeError) {
    if let threads = options.threads, threads < 1 || threads > 4096 {
      throw .badOption(.threads, value: "\(threads)", problem: "between 1 and 4096 can be started")
    }
    var nodes = try Self.chosenNodes(topology, options)
    if options.nodeMap == nil, let nodeCount { nodes = Array(nodes.prefix(nodeCount)) }
    var options = options
    if let quota = topology.cpuQuota, options.threads == nil, options.cpus == nil {
      let cores = nodes.reduce(0) { $0 + $1.cores.count }
      let threads = max(quota.threadCount, options.nodeMap == nil ? 1 : nodes.count)
      if threads < cores {
        options.threads = threads
        quotaNote = Note("the cgroup's CPU quota is \(quota) (\(quota.path)): \(Count(threads, "thread")) on \(cores) cores")
      }
    }
    if let threads = options.threads {
      guard options.nodeMap == nil || threads >= nodes.count else {
        throw .badOption(
          .threads, value: "\(threads)", problem: "the node map names \(nodes.count) nodes, and each needs a thread")
      }
      nodes = Array(nodes.prefix(threads))
    }
    teams = nodes.map { Team(node: $0.id, cpus: []) }
    let perTeam = Self.threadCounts(nodes, options)
    for (index, node) in nodes.enumerated() {
      // Each core's first hardware thread, then each core's second, then from the beginning again.
      let depth = node.cores.map(\.count).max() ?? 0
      let order = (0..<depth).flatMap { level in node.cores.compactMap { level < $0.count ? $0[level] : nil } }
      teams[index].cpus = (0..<perTeam[index]).map { order[$0 % order.count] }
    }
  }

  /// Returns the usable nodes that hold a requested CPU, reduced to the requested CPUs.
  private static func chosenNodes(_ topology: Topology, _ options: Options) throws(RuntimeError) -> [Topology.Node] {
    var nodes = topology.usableNodes
    if let wanted = options.cpus {
      let usable = Set(nodes.flatMap(\.cpus))
      let missing = wanted.filter { !usable.contains($0) }
      guard missing.isEmpty, !wanted.isEmpty else {
        throw .badOption(
          .cpus, value: NumberList.format(wanted.sorted()),
          problem: "\(NumberList.format(missing)) cannot be used here; this process may use \(NumberList.format(usable.sorted()))")
      }
      let set = Set(wanted)
      for index in nodes.indices {
        // A list that names both threads of a core asks for a thread on each.
        nodes[index].cores = nodes[index].cores.flatMap { core in core.filter { set.contains($0) }.map { [$0] } }
      }
      nodes.removeAll { $0.cores.isEmpty }
    }
    if let map = options.nodeMap {
      let known = nodes.map(\.id)
      if let unknown = map.values.sorted().first(where: { !known.contains($0) }) {
        throw .badOption(
          .nodeMap, value: Self.text(map), problem: "node \(unknown) cannot be used here; usable nodes: \(NumberList.format(known))"
        )
      }
      nodes.removeAll { !map.values.contains($0.id) }
    }
    guard !nodes.isEmpty else {
      throw .system(operation: "find a node to run on", reason: "no node has both memory and CPUs that this process may use")
    }
    return nodes
  }

  /// Returns a node map in the form that a user writes: `0=0,1=2`.
  static func text(_ map: [Int: Int]) -> String {
    map.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
  }

  private static func threadCounts(_ nodes: [Topology.Node], _ options: Options) -> [Int] {
    guard let threads = options.threads else { return nodes.map(\.cores.count) }
    return nodes.indices.map { threads / nodes.count + ($0 < threads % nodes.count ? 1 : 0) }
  }
}
