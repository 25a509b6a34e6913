// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import JSON
import PackFormat
import PackRuntime

/// What does not change while a session runs, for `packrun top`: the pack, where its replicas lie, and what a step of each model reads.
struct RunDescription {
  private let session: Session

  init(_ session: Session) { self.session = session }

  /// The description as JSON.
  var text: [UInt8] {
    let replicas: [JSONValue] = session.weights.replicaRanges.map { file, node, range in
      [
        "file": .string(file), "node": .integer(Int128(node)), "start": .integer(Int128(range.start)),
        "byteCount": .integer(Int128(range.count)),
      ]
    }
    let document: JSONValue = [
      "schemaVersion": 1, "pack": .string(session.pack.wholePath), "memory": .string(session.weights.kind.rawValue),
      "replicas": .array(replicas), "lanes": .array(lanes),
    ]
    return Array(document.compact.utf8)
  }

  /// For each model, its nodes: the threads there, and the bytes of weights that they read in a step.
  private var lanes: [JSONValue] {
    let bytes = Double(TokenCost(session).weightByteCount)
    let teams = session.teams.plan.teams
    guard session.group.models.count == 1 else {
      return teams.prefix(session.group.models.count).map { .array([Self.node($0.node, $0.cpus.count, bytes)]) }
    }
    var parts: [Int: Double] = [:]
    switch session.pack.manifest.placement {
    case .mirror: for team in teams { parts[team.node, default: 0] += 1 / Double(teams.count) }
    case .shard:
      let all = Double(max(session.weights.byteCount, 1))
      for replica in session.weights.replicaRanges { parts[replica.node, default: 0] += Double(replica.range.count) / all }
    }
    let nodes = Dictionary(teams.map { ($0.node, $0.cpus.count) }, uniquingKeysWith: +)
    return [.array(nodes.sorted { $0.key < $1.key }.map { Self.node($0.key, $0.value, bytes * (parts[$0.key] ?? 0)) })]
  }

  private static func node(_ id: Int, _ threads: Int, _ bytes: Double) -> JSONValue {
    ["node": .integer(Int128(id)), "threads": .integer(Int128(threads)), "weightByteCount": .integer(Int128(bytes))]
  }
}
