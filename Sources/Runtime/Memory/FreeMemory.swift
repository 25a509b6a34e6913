// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A check whether nodes have room, made before memory is allocated, because the kernel may kill a process that binds too much.
package struct FreeMemory {
  private let topology: Topology
  private let limit: MemoryLimit?

  /// The free memory of `topology`, within the limit of a cgroup.
  package init(_ topology: Topology, limit: MemoryLimit?) {
    self.topology = topology
    self.limit = limit
  }

  /// The free memory at this moment.
  package init(root: String = "") {
    self.init(Topology.read(root: root), limit: MemoryLimit.read(root: root))
  }

  /// Returns the bytes of a node that must stay free, because the kernel needs some to work with.
  package static func margin(_ node: Topology.Node) -> Int { max(48 << 20, node.memory / 128) }

  /// The bytes of a cgroup's limit that must stay free.
  private static let limitMargin = 16 << 20

  /// Returns the available bytes of a node: free memory, and page cache that the kernel gives up on demand.
  package static func available(_ node: Topology.Node) -> Int { node.freeMemory + node.reclaimableMemory }

  /// Checks that each node can provide the given bytes.
  ///
  /// - Parameters:
  ///   - weights: The bytes of weights by node.
  ///   - activations: The bytes of KV cache and activations by node.
  ///   - kept: The bytes of each node's page cache that must stay and so are not available.
  ///   - spill: Whether other nodes may provide what a node lacks.
  ///   - isSecondLook: Whether room for these bytes was already found before the weights were placed. Placing takes some memory itself,
  /// such as page tables, so the margin is halved: a request that was accepted must not be refused after the weights have been read.
  /// - Throws: `RuntimeError.shortage` with all nodes that have too little, or `memoryLimit` if the cgroup does.
  package func check(
    _ weights: [Int: Int], and activations: [Int: Int] = [:], keeping kept: [Int: Int] = [:],
    spill: Bool = false, isSecondLook: Bool = false
  ) throws(RuntimeError) {
    func margin(_ node: Topology.Node) -> Int { isSecondLook ? Self.margin(node) / 2 : Self.margin(node) }
    let needed = weights.merging(activations, uniquingKeysWith: +)
    let total = needed.values.reduce(0, +)
    try checkLimit(
      total, activations: activations.values.reduce(0, +), keeping: kept.values.reduce(0, +),
      margin: isSecondLook ? Self.limitMargin / 2 : Self.limitMargin)
    func available(_ node: Topology.Node) -> Int {
      node.freeMemory + max(0, node.reclaimableMemory - (kept[node.id] ?? 0))
    }
    if spill {
      let room = topology.nodes.filter(\.isAllowed).reduce(0) {
        $0 + max(0, available($1) - margin($1))
      }
      if room >= total { return }
    }
    var shortages = needed.sorted { $0.key < $1.key }.compactMap { id, bytes -> NodeShortage? in
      guard bytes > 0, let node = topology.node(id) else { return nil }
      let wanted = bytes + margin(node)
      guard wanted > available(node) else { return nil }
      return NodeShortage(
        node: id, needed: wanted, free: available(node), activations: activations[id] ?? 0)
    }
    guard !shortages.isEmpty else { return }
    if !spill {
      let elsewhere = topology.nodes.filter(\.isAllowed).reduce(0) {
        $0 + max(0, available($1) - margin($1) - (needed[$1.id] ?? 0))
      }
      for index in shortages.indices { shortages[index].elsewhere = elsewhere }
    }
    throw .shortage(shortages)
  }

  /// Checks that the free reserved huge pages of each node can hold the given bytes.
  ///
  /// - Parameter spill: Whether other nodes may provide what a node lacks.
  /// - Throws: `RuntimeError.hugePageShortage` with all nodes that have too few.
  func checkHugePages(_ needed: [Int: Int], spill: Bool = false) throws(RuntimeError) {
    if spill {
      let room = topology.nodes.filter(\.isAllowed).reduce(0) { $0 + $1.freeHugePageByteCount }
      if room >= needed.values.reduce(0, +) { return }
    }
    let shortages = needed.sorted { $0.key < $1.key }.compactMap { id, bytes -> NodeShortage? in
      let free = topology.node(id)?.freeHugePageByteCount ?? 0
      return bytes > free ? NodeShortage(node: id, needed: bytes, free: free) : nil
    }
    guard shortages.isEmpty else { throw .hugePageShortage(shortages) }
  }

  private func checkLimit(_ bytes: Int, activations: Int, keeping kept: Int, margin: Int) throws(RuntimeError) {
    guard let limit, bytes > 0 else { return }
    let wanted = bytes + margin
    let available = limit.available(keeping: kept)
    guard wanted <= available else {
      throw .memoryLimit(path: limit.path, needed: wanted, free: available, activations: activations)
    }
  }
}
