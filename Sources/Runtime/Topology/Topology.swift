// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The NUMA nodes of this machine, as far as this process may use them.
public struct Topology: Sendable, Hashable {
  /// The huge pages of one size that are reserved and free.
  public struct HugePages: Sendable, Hashable {
    /// The size of a page in bytes.
    public var pageByteCount: Int
    /// The number of reserved pages.
    public var total: Int
    /// The number of unused pages.
    public var free: Int
  }

  /// A node.
  public struct Node: Sendable, Hashable {
    /// The kernel's number of the node.
    public var id: Int
    /// The cores that this process may use, each as its hardware threads in ascending order.
    ///
    /// CPUs of a node without memory are assigned to the nearest node with memory.
    public var cores: [[Int]]
    /// The memory of the node in bytes; 0 if it has none.
    public var memory: Int
    /// The free memory in bytes when the topology was read.
    public var freeMemory: Int
    /// The bytes of clean page cache that the kernel gives up on demand.
    public var reclaimableMemory: Int
    /// The huge pages of each size that the kernel supports.
    public var hugePages: [HugePages]
    /// Whether the cpuset lets this process allocate on the node.
    public var isAllowed: Bool
    /// The distance to each node by its number; the distance to itself is 10.
    public var distances: [Int: Int]

    /// All its CPUs in ascending order.
    public var cpus: [Int] { cores.flatMap { $0 }.sorted() }

    /// The bytes of the free reserved huge pages of 2 MiB, the size that weights are placed in.
    var freeHugePageByteCount: Int {
      hugePages.first { $0.pageByteCount == MappedBlob.hugePage }.map { $0.free * $0.pageByteCount } ?? 0
    }
  }

  /// The nodes in ascending order; at least one.
  public var nodes: [Node]
  /// Whether the kernel lists nodes. If not (built without NUMA, or /sys is hidden), there is one node, 0.
  public var hasNodeFolder: Bool
  /// The CPUs of the machine that are offline.
  public var offlineCPUs: [Int]
  /// The CPU time that a cgroup leaves this process; nil if there is no limit.
  public var cpuQuota: CPUQuota?

  /// The nodes that can hold weights and have CPUs to read them.
  public var usableNodes: [Node] { nodes.filter { $0.memory > 0 && $0.isAllowed && !$0.cores.isEmpty } }

  /// Returns the node with that number.
  public func node(_ id: Int) -> Node? { nodes.first { $0.id == id } }
}
