// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import PackFormat

/// A blob of the pack on a node of the machine, which has to be mapped there.
package struct Replica: Hashable, Sendable {
  /// The index of the blob in the manifest.
  package var blob: Int
  /// The machine's node on which it should lie.
  package var node: Int
  /// The size in bytes.
  package var byteCount: Int
}

/// The replicas that a pack needs on this machine, and which of them each team reads.
package struct ReplicaPlan: Sendable {
  /// The replicas to map, each pair of blob and node once.
  package private(set) var replicas: [Replica] = []
  /// The team that computes each blob's rows (`shard`); not used for a mirror.
  package private(set) var teamOfBlob: [Int] = []
  /// For `shard`: the index in `replicas` of each blob's replica, which team `teamOfBlob[blob]` reads.
  package private(set) var replicaOfBlob: [Int] = []
  /// For a mirror: the index in `replicas` of the replica that each team reads.
  package private(set) var replicaOfTeam: [Int] = []
  /// The differences from the placement that the pack was made for.
  package private(set) var notes: [Note] = []

  /// - Parameter nodeMap: The machine's node for each node of the pack. Without it, node i of n goes to team i × teams / n.
  package init(_ manifest: PackManifest, teams: TeamPlan, nodeMap: [Int: Int]?) throws(RuntimeError) {
    switch manifest.placement {
    case .shard: try planShard(manifest, teams, nodeMap)
    case .mirror: planMirror(manifest, teams)
    }
  }

  private mutating func planShard(_ manifest: PackManifest, _ plan: TeamPlan, _ nodeMap: [Int: Int]?) throws(RuntimeError) {
    let packNodes = manifest.blobs.count
    for blob in manifest.blobs.indices {
      var team = blob * plan.teams.count / packNodes
      // If there are more teams than pack nodes, use the first teams, not every other one.
      if plan.teams.count > packNodes { team = blob }
      if let nodeMap {
        guard let node = nodeMap[blob], let mapped = plan.teams.firstIndex(where: { $0.node == node }) else {
          throw .badOption(
            .nodeMap, value: TeamPlan.text(nodeMap),
            problem: "node \(blob) of the pack is not mapped; name a node of the machine for each of 0 to \(packNodes - 1)")
        }
        team = mapped
      }
      teamOfBlob.append(team)
      replicaOfBlob.append(
        add(Replica(blob: blob, node: plan.teams[team].node, byteCount: manifest.blobs[blob].byteCount)))
    }
    let used = Set(teamOfBlob)
    let nodes = Set(plan.teams.map(\.node))
    if nodes.count < packNodes {
      let all = packNodes == 2 ? "both" : "all \(packNodes)"
      let held = nodes.count == 1 ? "that node holds \(all) parts" : "some nodes hold several parts"
      notes.append(.lasting("pack made for \(packNodes) nodes, running on \(nodes.count): \(held)"))
    }
    let idle = plan.teams.indices.filter { !used.contains($0) }
    if !idle.isEmpty {
      let list = NumberList.format(Set(idle.map { plan.teams[$0].node }).sorted())
      notes.append(
        Note("pack made for \(packNodes) nodes: there are no weights on node \(list)", .convert(nodes: plan.teams.count)))
    }
  }

  /// Returns a note that names idle nodes of the machine if the pack is for fewer nodes; nil if none are idle.
  package static func idleNodes(_ manifest: PackManifest, _ plan: TeamPlan, _ topology: Topology) -> Note? {
    guard manifest.placement == .shard, plan.teams.count == manifest.nodeCount else { return nil }
    let idle = topology.usableNodes.map(\.id).filter { id in !plan.teams.contains { $0.node == id } }
    guard !idle.isEmpty else { return nil }
    let nodeCount = manifest.nodeCount + idle.count
    return Note(
      "pack made for \(manifest.nodeCount) of \(nodeCount) nodes: node \(NumberList.format(idle)) stays idle",
      .convert(nodes: nodeCount))
  }

  private mutating func planMirror(_ manifest: PackManifest, _ plan: TeamPlan) {
    // Each node has one replica, however many teams it has. If the mirror has a file per node, nodes take the files in order.
    var replicaOfNode: [Int: Int] = [:]
    for team in plan.teams {
      if let known = replicaOfNode[team.node] {
        replicaOfTeam.append(known)
        continue
      }
      let blob = replicaOfNode.count % manifest.blobs.count
      let index = add(Replica(blob: blob, node: team.node, byteCount: manifest.blobs[blob].byteCount))
      replicaOfNode[team.node] = index
      replicaOfTeam.append(index)
    }
    if replicaOfNode.count != manifest.nodeCount {
      notes.append(Note("the pack is a mirror for \(manifest.nodeCount) nodes, and \(replicaOfNode.count) replicas are used here"))
    }
  }

  /// Returns the plan for one team of a mirror by itself.
  package func alone(_ team: Int) -> ReplicaPlan {
    var plan = self
    plan.replicaOfTeam = [replicaOfTeam[team]]
    return plan
  }

  private mutating func add(_ replica: Replica) -> Int {
    replicas.append(replica)
    return replicas.count - 1
  }

  /// The bytes that the replicas take on each node, in whole huge pages.
  package var bytesByNode: [Int: Int] {
    replicas.reduce(into: [:]) { $0[$1.node, default: 0] += $1.byteCount.roundedUp(toMultipleOf: MappedBlob.hugePage) }
  }

  /// Whether two replicas are made from the same file. The page cache cannot serve such a file on both nodes.
  package var sharesFiles: Bool { Set(replicas.map(\.blob)).count < replicas.count }
}
