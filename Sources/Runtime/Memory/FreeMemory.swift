// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Whether nodes have room: asked before memory is taken, as the kernel answers too much binding by killing the process.
package struct FreeMemory {
  private let topology: Topology
  private let limit: MemoryLimit?

  /// What the nodes of `topology` have, within the limit of a cgroup.
  package init(_ topology: Topology, limit: MemoryLimit?) {
    self.topology = topology
    self.limit = limit
  }

  /// What there is now.
  package init(root: String = "") {
    self.init(Topology.read(root: root), limit: MemoryLimit.read(root: root))
  }

  /// What stays free on a node: the kernel needs some to work with.
  package static func margin(_ node: Topology.Node) -> Int { max(48 << 20, node.memory / 128) }

  /// What stays free of a cgroup's limit.
  private static let limitMargin = 16 << 20

  /// What is available on a node: free memory, and page cache that the kernel gives up on demand.
  package static func available(_ node: Topology.Node) -> Int { node.freeMemory + node.reclaimableMemory }

  /// Checks that each node has as many bytes to give.
  ///
  /// - Parameters:
  ///   - weights: Bytes of weights by node.
  ///   - activations: Bytes of KV cache and activations by node.
  ///   - kept: Bytes of each node's page cache that must stay, so that they are not available.
  ///   - spill: Whether other nodes may give what one has not.
  ///   - isSecondLook: Whether room was found for these bytes before the weights were placed. Placing takes some itself, such as page
  ///     tables, which comes off the margin: what was promised must not be refused when the weights have been read.
  /// - Throws: `RuntimeError.shortage` with all nodes that have not, `memoryLimit` if the cgroup has not.
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

  private func checkLimit(_ bytes: Int, activations: Int, keeping kept: Int, margin: Int) throws(RuntimeError) {
    guard let limit, bytes > 0 else { return }
    let wanted = bytes + margin
    let available = limit.available(keeping: kept)
    guard wanted <= available else {
      throw .memoryLimit(path: limit.path, needed: wanted, free: available, activations: activations)
    }
  }
}
