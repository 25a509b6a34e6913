/// Whether nodes have room: asked before memory is taken, as the kernel answers too much binding by killing the process.
struct FreeMemory {
  private let topology: Topology

  init(_ topology: Topology) { self.topology = topology }

  /// What stays free on a node: the kernel needs some to work with.
  static func margin(_ node: Topology.Node) -> Int { max(48 << 20, node.memory / 128) }

  /// What can be had on a node: what is free, and the page cache that is given up when asked for.
  static func available(_ node: Topology.Node) -> Int { node.freeMemory + node.reclaimableMemory }

  /// Checks that each node has as many bytes to give.
  ///
  /// - Parameter spill: Whether other nodes may give what one has not.
  /// - Throws: `RuntimeError.shortage` with all nodes that have not.
  func check(_ needed: [Int: Int], spill: Bool = false) throws(RuntimeError) {
    if spill {
      let room = topology.nodes.filter(\.isAllowed).reduce(0) { $0 + max(0, Self.available($1) - Self.margin($1)) }
      if room >= needed.values.reduce(0, +) { return }
    }
    let short = needed.sorted { $0.key < $1.key }.compactMap { id, bytes -> NodeShortage? in
      guard let node = topology.node(id) else { return nil }
      let wanted = bytes + Self.margin(node)
      return wanted > Self.available(node) ? NodeShortage(node: id, needed: wanted, free: Self.available(node)) : nil
    }
    guard short.isEmpty else { throw .shortage(short) }
  }
}
