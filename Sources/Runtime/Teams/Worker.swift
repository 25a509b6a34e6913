// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux

/// The position of a thread within its team, and its means of meeting the other threads.
///
/// All threads run the same code. Each takes its part of the work by these numbers and meets the others at barriers.
@safe package struct Worker {
  /// The number of the team, 0 ..< teamCount. The threads of a team are pinned to its node.
  package var team: Int
  /// The number of teams.
  package var teamCount: Int
  /// The number of this thread within its team, 0 ..< teamSize.
  package var index: Int
  /// The number of threads in the team.
  package var teamSize: Int
  /// The number of this thread among all, 0 ..< threadCount, counted team by team.
  package var thread: Int
  /// The number of threads in all teams.
  package var threadCount: Int
  /// The barriers are owned by the `Teams` that runs this worker, which outlives every run.
  package let teamMeeting: UnsafeMutablePointer<cl_barrier>
  package let meeting: UnsafeMutablePointer<cl_barrier>
  /// One tally for each kind of shared work, common to the team.
  package let tallies: UnsafeMutablePointer<cl_tally>

  /// Returns when all threads of all teams have called it. What they wrote before is then visible to all.
  @inlinable @inline(__always)
  package func barrier() { unsafe cl_barrier_wait(meeting) }

  /// Returns when all threads of this team have called it.
  @inlinable @inline(__always)
  package func teamBarrier() { unsafe cl_barrier_wait(teamMeeting) }

  /// Meets the threads of all teams after `work`. The team may take parts of the same work again after the next barrier.
  @inlinable @inline(__always)
  package func barrier(after work: SharedWork) {
    barrier()
    if index == 0 { unsafe cl_tally_clear(tallies + work.rawValue) }
  }

  /// Takes the next item of `work` that no thread of the team has taken yet, and returns its number.
  @inlinable @inline(__always)
  package func take(_ work: SharedWork) -> Int { unsafe Int(cl_tally_take(tallies + work.rawValue)) }

  /// Calls `body` with parts of `total` items until the team's threads have taken all items, each once.
  ///
  /// Half of the items are assigned in advance, one run per thread. The threads that finish first take the rest, in parts that become
  /// smaller towards the end. So a CPU that other programs slow down does not keep all others waiting at the next barrier.
  ///
  /// - Parameters:
  ///   - work: The kind of work. `barrier(after:)` and another barrier must come between two uses of the same kind.
  ///   - most: The most items of a part that is not assigned in advance.
  @inlinable @inline(__always)
  package func forEachPart(of total: Int, _ work: SharedWork, most: Int = .max, _ body: (_ part: Range<Int>) -> Void) {
    guard teamSize > 1 else { return body(0..<total) }
    let dealt = total / 2
    let (low, high) = (dealt * index / teamSize, dealt * (index + 1) / teamSize)
    if low < high { body(low..<high) }
    while true {
      var count: Int64 = 0
      let taken = unsafe cl_tally_take_part(
        tallies + work.rawValue, Int64(total - dealt), Int64(2 * teamSize), Int64(most), &count)
      guard count > 0 else { return }
      let begin = dealt + Int(taken)
      body(begin..<begin + Int(count))
    }
  }
}

/// A kind of work in a step that the threads of a team divide among themselves while they do it.
package enum SharedWork: Int, CaseIterable {
  case projections, attention, output, hidden, experts, logits
}
