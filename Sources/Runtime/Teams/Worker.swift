import CLinux

/// What a thread of a team knows of itself while it runs a step.
///
/// All threads run the same code; each takes its share by these numbers and meets the others at barriers.
struct Worker {
  /// The team: 0 ..< teamCount. A team's threads are pinned to its node.
  var team: Int
  var teamCount: Int
  /// This thread within its team: 0 ..< teamSize.
  var index: Int
  var teamSize: Int
  /// This thread among all: 0 ..< threadCount, counted through the teams in order.
  var thread: Int
  var threadCount: Int
  /// Owned by the `Teams` that runs this worker; they outlive every run.
  let teamMeeting: UnsafeMutablePointer<cl_barrier>
  let meeting: UnsafeMutablePointer<cl_barrier>

  /// Returns when all threads of all teams have called it; what they wrote before is visible afterwards.
  @inline(__always)
  func barrier() { cl_barrier_wait(meeting) }

  /// The same for the threads of this team alone.
  @inline(__always)
  func teamBarrier() { cl_barrier_wait(teamMeeting) }
}
