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
}
