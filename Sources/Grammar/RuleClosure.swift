// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Finds the rules that have an alternative all of whose rules have one, too.
struct RuleClosure {
  /// The rule of each alternative, and how many of the rules that it needs are not known to be reached.
  private var alternatives: [(rule: Int, missing: Int)] = []
  /// For each rule, the alternatives that need it, once for each time.
  private var users: [[Int]]

  init(ruleCount: Int) { users = [[Int]](repeating: [], count: ruleCount) }

  /// Adds an alternative of a rule.
  mutating func add(_ rule: Int, needs needed: [Int]) {
    for other in needed { users[other].append(alternatives.count) }
    alternatives.append((rule, needed.count))
  }

  /// Returns which rules are reached.
  ///
  /// - Complexity: O(*n*) in the rules that all alternatives need.
  consuming func reached() -> [Bool] {
    var isReached = [Bool](repeating: false, count: users.count)
    var waiting = alternatives.filter { $0.missing == 0 }.map(\.rule)
    while let rule = waiting.popLast() {
      guard !isReached[rule] else { continue }
      isReached[rule] = true
      for user in users[rule] {
        alternatives[user].missing -= 1
        if alternatives[user].missing == 0 { waiting.append(alternatives[user].rule) }
      }
    }
    return isReached
  }
}
