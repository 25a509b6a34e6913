// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The last run of scalars of a class that a rule has found in a text.
///
/// A rule that looks for the end of a run at each of its matches would otherwise read a run of n scalars n times.
struct ScalarRun {
  private var range = 0..<0

  /// Returns the end of the run, from `index` on, of scalars that have one of `classes`; `index` if there is none.
  ///
  /// - Precondition: All calls have the same text, classes and limit.
  mutating func end(_ text: ScalarText, _ classes: CharacterClass, from index: Int, before limit: Int) -> Int {
    if !range.contains(index) { range = index..<text.endOfRun(classes, from: index, before: limit) }
    return range.upperBound
  }
}

/// The rules whose matches depend on where a run ends.
extension SplitRule {
  /// Returns the end of the first group of a run that is divided into groups of three from the right.
  static func groupFromRight(_ start: Int, _ end: Int) -> Int? {
    guard end > start else { return nil }
    let rest = (end - start) % 3
    return start + (rest == 0 ? 3 : rest)
  }

  func digitsFromRight(_ text: ScalarText, _ start: Int, _ limit: Int, _ run: inout ScalarRun) -> Int? {
    let end = run.end(text, .decimal, from: start, before: limit)
    // `\b`: a word must end here.
    return text.isAny(.word, at: end, before: limit) ? nil : Self.groupFromRight(start, end)
  }

  func beforeThousands(_ text: ScalarText, _ start: Int, _ limit: Int, _ run: inout ScalarRun) -> Int {
    var place = start
    while place < limit {
      let end = run.end(text, .decimal, from: place, before: limit)
      let least = max(place, start + 1)
      // The first place that leaves a multiple of three digits.
      let next = least + max(0, end - least) % 3
      if next < end { return next }
      place = max(end, place + 1)
    }
    return limit
  }

  func trailingSpace(_ text: ScalarText, _ start: Int, _ limit: Int, _ run: inout ScalarRun) -> Int? {
    let end = run.end(text, .space, from: start, before: limit)
    return end > start && end == limit ? end : nil
  }
}
