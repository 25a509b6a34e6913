// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackFormat
import Synchronization

/// Checks the weights in memory, where they are computed with, against the pack's digests.
///
/// This detects what checking the pack's files cannot: a replica changed by another program since, or a bit lost in memory.
struct ReplicaVerifier {
  let pack: Pack
  let blobs: [MappedBlob]
  let teams: Teams

  private struct Chunk {
    var blob: MappedBlob
    var index: Int
    var range: Range<Int>
  }

  /// Hashes each chunk of each replica, on threads of its node.
  ///
  /// - Throws: `RuntimeError.pack` with the first damaged chunk.
  func run() throws(RuntimeError) {
    let size = pack.manifest.chunkByteCount
    let chunks = blobs.flatMap { blob in
      stride(from: 0, to: blob.replica.byteCount, by: size).enumerated().map { index, start in
        Chunk(blob: blob, index: index, range: start..<min(start + size, blob.replica.byteCount))
      }
    }
    let queues = (0..<teams.teamCount).map { team in
      let node = teams.plan.teams[team].node
      // If a node has several teams, the first one does the work.
      let isFirst = teams.plan.teams.firstIndex { $0.node == node } == team
      return isFirst ? chunks.filter { $0.blob.replica.node == node } : []
    }
    let taken = teams.plan.teams.map { _ in Counter() }
    let damage = Mutex<(order: Int, error: PackError)?>(nil)
    teams.run { worker in
      let queue = queues[worker.team]
      while true {
        let next = taken[worker.team].count.add(1, ordering: .relaxed).oldValue
        guard next < queue.count else { break }
        let chunk = queue[next]
        guard digest(chunk) != pack.manifest.blobs[chunk.blob.replica.blob].chunks[chunk.index] else { continue }
        let path = chunk.blob.pinnedPath ?? chunk.blob.path
        damage.withLock { found in
          if found.map({ $0.order > next }) ?? true {
            found = (next, .damaged(file: path, chunk: chunk.index, range: chunk.range))
          }
        }
      }
    }
    if let found = damage.withLock({ $0 }) { throw .pack(found.error) }
  }

  private func digest(_ chunk: Chunk) -> Digest {
    // The blob is filled, and lives as long as this value.
    let bytes = unsafe UnsafeRawBufferPointer(start: chunk.blob.base + chunk.range.lowerBound, count: chunk.range.count)
    return unsafe Digest(of: bytes.bytes)
  }

  private final class Counter: Sendable {
    let count = Atomic(0)
  }
}
