// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackRuntime

/// The weights that a step of a model reads on one node.
public struct StepReading: Sendable, Hashable {
  /// The node whose threads read its memory.
  public var node: Int
  /// The number of its threads.
  public var threads: Int
  /// Bytes of weights. Of experts, only those that one token chooses count, so a step of several tokens reads at least this much.
  public var byteCount: Int
}

extension Session {
  /// The weights that a step of each model reads, by node.
  public var stepReadings: [[StepReading]] {
    let bytes = Double(TokenCost(self).weightByteCount)
    let teams = teams.plan.teams
    guard group.models.count == 1 else {
      return teams.prefix(group.models.count).map {
        [StepReading(node: $0.node, threads: $0.cpus.count, byteCount: Int(bytes))]
      }
    }
    var parts: [Int: Double] = [:]
    switch pack.manifest.placement {
    case .mirror: for team in teams { parts[team.node, default: 0] += 1 / Double(teams.count) }
    case .shard:
      let all = Double(max(weights.byteCount, 1))
      for replica in weights.replicaRanges { parts[replica.node, default: 0] += Double(replica.range.count) / all }
    }
    let nodes = Dictionary(teams.map { ($0.node, $0.cpus.count) }, uniquingKeysWith: +)
    return [
      nodes.sorted { $0.key < $1.key }.map { node, threads in
        StepReading(node: node, threads: threads, byteCount: Int(bytes * (parts[node] ?? 0)))
      }
    ]
  }
}
