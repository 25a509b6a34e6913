// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux
import Glibc
import Synchronization

/// The threads that load replicas, each on the node of its replica and allocating only there.
final class LoaderCrew {
  /// A part of a blob that begins at a multiple of 2 MiB.
  struct Piece {
    var blob: MappedBlob
    var range: Range<Int>
  }

  private final class Queue: Sendable {
    let next = Atomic<Int>(0)
  }

  private let teams: Teams
  private let nodes: [Int]
  private let policies: [Kernel.Policy]
  private let kernel: Kernel
  private let isInterrupted: @Sendable () -> Bool
  private let failure = Mutex<RuntimeError?>(nil)

  /// Starts at least `threads` threads on each node of a replica, on the CPUs of the node's team.
  init(_ replicas: [Replica], plan: TeamPlan, threadsPerNode threads: Int, options: MemoryOptions) throws(RuntimeError) {
    nodes = Set(replicas.map(\.node)).sorted()
    kernel = options.kernel
    isInterrupted = options.isInterrupted ?? { false }
    policies = nodes.map { options.spill ? .preferred($0) : .bind($0) }
    teams = try Teams(
      plan: TeamPlan(
        teams: nodes.map { node in
          let cpus = plan.teams.filter { $0.node == node }.flatMap(\.cpus)
          return TeamPlan.Team(node: node, cpus: (0..<max(threads, cpus.count)).map { cpus[$0 % cpus.count] })
        }), kernel: kernel)
  }

  /// Returns the number of threads that load the replicas of `node`.
  func threadCount(on node: Int) -> Int { nodes.firstIndex(of: node).map { teams.size(of: $0) } ?? 1 }

  /// Runs `body` for each piece of `pieceByteCount(blob)` bytes within the first `byteCount(blob)` bytes of each blob, on threads of its
  /// node.
  ///
  /// - Throws: The first error. Pieces that have not begun by then are skipped.
  func forEachPiece(
    of blobs: [MappedBlob], pieceByteCount: (MappedBlob) -> Int, byteCount: (MappedBlob) -> Int,
    _ body: (Piece) throws(RuntimeError) -> Void
  ) throws(RuntimeError) {
    let pieces = nodes.map { node in
      blobs.filter { $0.replica.node == node }.flatMap { blob in
        let size = pieceByteCount(blob)
        return stride(from: 0, to: byteCount(blob), by: size).map {
          Piece(blob: blob, range: $0..<min($0 + size, byteCount(blob)))
        }
      }
    }
    let queues = nodes.map { _ in Queue() }
    failure.withLock { $0 = nil }
    teams.run { worker in
      // If the kernel refuses this, a page goes to the node of the thread that touches it first, which is this one.
      _ = kernel.setPolicy(policies[worker.team])
      while failure.withLock({ $0 == nil }) {
        let index = queues[worker.team].next.add(1, ordering: .relaxed).oldValue
        guard index < pieces[worker.team].count else { break }
        do throws(RuntimeError) {
          if isInterrupted() { throw .interrupted }
          let piece = pieces[worker.team][index]
          let faults = cl_thread_faults()
          try body(piece)
          piece.blob.faults.add(Int(cl_thread_faults() - faults), ordering: .relaxed)
          piece.blob.filledAt.max(Clock.nanoseconds, ordering: .relaxed)
        } catch {
          failure.withLock { if $0 == nil { $0 = error } }
        }
      }
    }
    if let error = failure.withLock({ $0 }) { throw error }
  }
}
