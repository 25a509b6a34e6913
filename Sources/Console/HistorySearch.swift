// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A search through earlier texts, the latest first, for a part that a person types (Ctrl-R, as in shells).
struct HistorySearch {
  /// What is looked for.
  var text: [Character] = []
  /// Whether the next search is for an earlier text than the one shown, as Ctrl-R asks once more.
  var isAgain = false
  /// What was shown before: the characters, the cursor, and the place in the history.
  let before: (characters: [Character], cursor: Int, place: Int)
  private var isMissing = false

  /// A search that begins while `characters` are shown.
  init(before characters: [Character], _ cursor: Int, _ place: Int) { before = (characters, cursor, place) }

  /// What stands in front of the text that was found.
  var prompt: String { "\(isMissing ? "not found" : "search"): \(String(text)) > " }

  /// Finds what is looked for.
  ///
  /// - Parameters:
  ///   - history: Earlier texts, the oldest first.
  ///   - characters: What is shown.
  ///   - place: Where in the history that is; `history.count` if it is not from there.
  /// - Returns: Which text has it, and where in it; nil if none has, or nothing is looked for.
  mutating func find(in history: [String], showing characters: [Character], _ place: Int) -> (place: Int, position: Int)? {
    defer { isAgain = false }
    isMissing = false
    guard !text.isEmpty else { return nil }
    for index in history.indices.reversed() where index < place || (index == place && !isAgain) {
      let candidate = Array(history[index])
      // The same text once more is not another one.
      if isAgain, candidate == characters { continue }
      if let range = candidate.firstRange(of: text) { return (index, range.lowerBound) }
    }
    isMissing = true
    return nil
  }
}
