// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF
import PackFormat

/// A pack whose weights lie in memory, each blob on its node.
///
/// Owns the memory: weights and everything made from them must not be used after it has ended.
public final class MappedPack {
  /// The pack.
  public let pack: Pack
  /// How the weights are held.
  public let kind: MemoryKind
  /// Why the pack's files are not mapped as they are, if the best rung was something else.
  public let reason: Note?
  /// What could not be arranged as it should be.
  public let notes: [Note]

  let blobs: [MappedBlob]
  let plan: ReplicaPlan
  package let table: WeightTable
  let startedAt: UInt64
  let kernel: Kernel
  /// Whether memory may lie on other nodes where the right one has too little.
  package let spills: Bool

  /// The model's keys.
  public var metadata: GGUFMetadata { pack.metadata }

  /// Where each replica lies: its file in the pack, its node, and its addresses.
  package var replicaRanges: [(file: String, node: Int, range: AddressRange)] {
    blobs.map { (pack.manifest.blobs[$0.replica.blob].file, $0.replica.node, $0.mappedRange(kind)) }
  }

  /// Bytes of weights in memory.
  public var byteCount: Int { blobs.reduce(0) { $0 + $1.replica.byteCount } }

  /// Maps the pack's blobs for `teams` and brings them into memory, each on its node.
  ///
  /// - Throws: `RuntimeError.shortage` before anything is read if a node has too little memory, `RuntimeError.pack` if the weights are
  ///   to be verified and are damaged, other cases if the files cannot be read or the options contradict the machine.
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

  /// All rows of a mirror as its team `team` holds them, for a model that this team computes alone.
  ///
  /// - Precondition: the pack is a mirror. The table is good as long as this lives.
  package func table(ofReplica team: Int) -> WeightTable {
    unsafe WeightTable(pack.manifest, plan: plan.alone(team), teamCount: 1, bases: blobs.map { unsafe UnsafeRawPointer($0.base) })
  }
}
