// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// How many tokens to propose at a time: more while they come true, fewer and more rarely while they do not.
///
/// A step with proposals takes longer than one without. Proposals that fail one after another are followed by longer and longer
/// pauses, so that on a text which cannot be foreseen nearly all steps are plain ones.
struct DraftLength {
  /// Proposals of a step at most, whatever comes true.
  static let most = 15
  /// Steps without proposals after a failure at most.
  static let longestPause = 63

  /// Proposals of the next step at most.
  private(set) var limit = 3
  /// Plain steps still to come.
  private var pause = 0
  /// Steps one after another none of whose proposals came true.
  private var failures = 0

  /// How many tokens to propose for the next step.
  mutating func next() -> Int {
    guard pause > 0 else { return limit }
    pause -= 1
    return 0
  }

  /// Takes note of a step with proposals.
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
