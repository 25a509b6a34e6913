// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The NUMA nodes of this machine as far as this process may use them.
public struct Topology: Sendable, Hashable {
  /// The free and reserved huge pages of one size.
  public struct HugePages: Sendable, Hashable {
    /// Bytes of one page.
    public var pageByteCount: Int
    /// Pages reserved.
    public var total: Int
    /// Pages that nobody uses.
    public var free: Int
  }

  /// A node.
  public struct Node: Sendable, Hashable {
    /// The kernel's number for it.
    public var id: Int
    /// Its cores that this process may use: each one's hardware threads, ascending. CPUs of nodes without memory are counted to
    /// the nearest node that has some.
    public var cores: [[Int]]
    /// Bytes of memory; 0 for a node without.
    public var memory: Int
    /// Bytes free at the time of reading.
    public var freeMemory: Int
    /// Bytes of clean page cache that the kernel gives up when memory is asked for.
    public var reclaimableMemory: Int
    /// Huge pages of each size that the kernel knows.
    public var hugePages: [HugePages]
    /// Whether the cpuset lets this process allocate here.
    public var isAllowed: Bool
    /// Distance to each node by its number; 10 is the node itself.
    public var distances: [Int: Int]

    /// All its CPUs, ascending.
    public var cpus: [Int] { cores.flatMap { $0 }.sorted() }
  }

  /// The nodes, ascending; at least one.
  public var nodes: [Node]
  /// False where the kernel has no list of nodes (built without NUMA, or /sys is hidden): then there is one node, 0.
  public var hasNodeFolder: Bool
  /// CPUs of the machine that are switched off.
  public var offlineCPUs: [Int]
  /// What a cgroup leaves this process of the CPUs' time; nil: all of it.
  public var cpuQuota: CPUQuota?

  /// Nodes that can hold weights and have CPUs to read them with.
  public var usableNodes: [Node] { nodes.filter { $0.memory > 0 && $0.isAllowed && !$0.cores.isEmpty } }

  /// The node of that number.
  public func node(_ id: Int) -> Node? { nodes.first { $0.id == id } }
}
