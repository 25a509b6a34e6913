// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF
import PackFormat

/// A pack whose weights lie in memory, each blob on its node.
///
/// It owns the memory: weights, and everything made from them, must not be used after it ends.
public final class MappedPack {
  /// The pack.
  public let pack: Pack
  /// The kind of memory that holds the weights.
  public let kind: MemoryKind
  /// The reason why the pack's files are not mapped directly, if the kind was chosen automatically and is not `file`.
  public let reason: Note?
  /// Shortcomings that could not be avoided.
  public let notes: [Note]

  let blobs: [MappedBlob]
  let plan: ReplicaPlan
  /// The weights, divided into the rows of each team.
  package let table: WeightTable
  let startedAt: UInt64
  let kernel: Kernel
  /// Whether memory may lie on other nodes if the intended one has too little.
  package let spills: Bool

  /// The model's keys.
  public var metadata: GGUFMetadata { pack.metadata }

  /// The file, node and addresses of each replica.
  package var replicaRanges: [(file: String, node: Int, range: AddressRange)] {
    blobs.map { (pack.manifest.blobs[$0.replica.blob].file, $0.replica.node, $0.mappedRange(kind)) }
  }

  /// The size of the weights in memory, over all replicas, in bytes.
  public var byteCount: Int { blobs.reduce(0) { $0 + $1.replica.byteCount } }

  /// Maps the pack's blobs for `teams` and loads them into memory, each on its node.
  ///
  /// - Throws: `RuntimeError.shortage` before anything is read if a node has too little memory; `RuntimeError.pack` if the weights are to
  ///   be verified and are damaged; other cases if files cannot be read or the options contradict the machine.
  public init(_ pack: Pack, teams: Teams, options: MemoryOptions = MemoryOptions()) throws(RuntimeError) {
    self.pack = pack
    plan = try ReplicaPlan(pack.manifest, teams: teams.plan, nodeMap: options.nodeMap)
    var ladder = try MemoryLadder(pack, plan, teams, options)
    kind = try ladder.climb()
    blobs = ladder.blobs
    reason = ladder.reason
    startedAt = ladder.startedAt
    if options.verifies { try ReplicaVerifier(pack: pack, blobs: ladder.blobs, teams: teams).run() }
    kernel = options.kernel
    spills = options.spill
    notes =
      [teams.plan.quotaNote].compactMap { $0 } + plan.notes + ladder.notes + [teams.pinRefusal].compactMap { $0.map { Note($0) } }
    table = unsafe WeightTable(
      pack.manifest, plan: plan, teamCount: teams.teamCount, bases: unsafe ladder.blobs.map { unsafe UnsafeRawPointer($0.base) })
  }

  /// Returns the table of all rows of a mirror in team `team`'s replica, for a model that this team computes alone.
  ///
  /// - Precondition: The pack is a mirror. The table must not outlive this value.
  package func table(ofReplica team: Int) -> WeightTable {
    unsafe WeightTable(pack.manifest, plan: plan.alone(team), teamCount: 1, bases: blobs.map { unsafe UnsafeRawPointer($0.base) })
  }
}
