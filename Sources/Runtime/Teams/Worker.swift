// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux

/// What a thread of a team knows about itself while it runs a step.
///
/// All threads run the same code; each takes its share by these numbers and meets the others at barriers.
@safe package struct Worker {
  /// The team: 0 ..< teamCount. A team's threads are pinned to its node.
  package var team: Int
  package var teamCount: Int
  /// This thread within its team: 0 ..< teamSize.
  package var index: Int
  package var teamSize: Int
  /// This thread among all: 0 ..< threadCount, counted through the teams in order.
  package var thread: Int
  package var threadCount: Int
  /// Owned by the `Teams` that runs this worker; they outlive every run.
  package let teamMeeting: UnsafeMutablePointer<cl_barrier>
  package let meeting: UnsafeMutablePointer<cl_barrier>
  /// One for each kind of shared work, common to the team.
  package let tallies: UnsafeMutablePointer<cl_tally>

  /// Returns when all threads of all teams have called it; what they wrote before is visible afterwards.
  @inlinable @inline(__always)
  package func barrier() { unsafe cl_barrier_wait(meeting) }

  /// The same for the threads of this team alone.
  @inlinable @inline(__always)
  package func teamBarrier() { unsafe cl_barrier_wait(teamMeeting) }

  /// Meets the threads of all teams after `work`, of which the team may take shares again after the next barrier.
  @inlinable @inline(__always)
  package func barrier(after work: SharedWork) {
    barrier()
    if index == 0 { unsafe cl_tally_clear(tallies + work.rawValue) }
  }

  /// The number of the next item of `work` that no thread of the team has taken yet.
  @inlinable @inline(__always)
  package func take(_ work: SharedWork) -> Int { unsafe Int(cl_tally_take(tallies + work.rawValue)) }

  /// Calls `body` with parts of `total` items until the team's threads have taken them all, every item once.
  ///
  /// Half of the items are dealt out beforehand, in one run for each thread; the rest goes to the threads that come first, in parts that
  /// become smaller towards the end: a CPU that other programs slow down would keep all others waiting at the next barrier.
  ///
  /// - Parameters:
  ///   - work: Between two uses of the same one lie `barrier(after:)` and another barrier.
  ///   - most: Items of a part that was not dealt out.
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

/// Work of a step that a team's threads share out among themselves while they do it.
package enum SharedWork: Int, CaseIterable {
  case projections, attention, output, hidden, experts, logits
}
