// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// How many tokens to propose at a time: more while proposals are accepted, fewer and less often while they are not.
///
/// A step with proposals takes longer than one without. Failures in a row are followed by longer and longer pauses, so that for a
/// text which cannot be predicted nearly all steps are without proposals.
struct DraftLength {
  /// The largest number of proposals in a step.
  static let most = 15
  /// The largest number of steps without proposals after a failure.
  static let longestPause = 63

  /// The largest number of proposals for the next step.
  private(set) var limit = 3
  /// The number of steps without proposals still to come.
  private var pause = 0
  /// The number of steps in a row in which no proposal was accepted.
  private var failures = 0

  /// Returns how many tokens to propose for the next step.
  mutating func next() -> Int {
    guard pause > 0 else { return limit }
    pause -= 1
    return 0
  }

  /// Notes the outcome of a step with proposals.
  mutating func note(proposed: Int, accepted: Int) {
    guard proposed > 0 else { return }
    if accepted == 0 {
      failures += 1
      limit = 2
      pause = min(Self.longestPause, 1 << min(failures, 30) - 1)
      return
    }
    failures = 0
    limit = accepted == proposed ? min(Self.most, max(limit, 2 * proposed)) : accepted + 1
  }
}
