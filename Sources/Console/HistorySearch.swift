// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A search through earlier texts, latest first, for a part that a person types (Ctrl-R, as in shells).
struct HistorySearch {
  /// The text to look for.
  var text: [Character] = []
  /// Whether the next search must find an earlier text than the one shown, because Ctrl-R was pressed again.
  var isAgain = false
  /// The state before the search: the characters, the cursor, and the place in the history.
  let before: (characters: [Character], cursor: Int, place: Int)
  private var isMissing = false

  /// A search that begins while `characters` are shown.
  init(before characters: [Character], _ cursor: Int, _ place: Int) { before = (characters, cursor, place) }

  /// The prompt before the text that was found.
  var prompt: String { "\(isMissing ? "not found" : "search"): \(String(text)) > " }

  /// Searches the history.
  ///
  /// - Parameters:
  ///   - history: The earlier texts, oldest first.
  ///   - characters: The characters that are shown.
  ///   - place: Their place in the history; `history.count` if they are not from there.
  /// - Returns: The place of the text that was found, and the position of the match in it; nil if there is no match or nothing to look for.
  mutating func find(in history: [String], showing characters: [Character], _ place: Int) -> (place: Int, position: Int)? {
    defer { isAgain = false }
    isMissing = false
    guard !text.isEmpty else { return nil }
    for index in history.indices.reversed() where index < place || (index == place && !isAgain) {
      let candidate = Array(history[index])
      // Skip the same text: it would look like no progress.
      if isAgain, candidate == characters { continue }
      if let range = candidate.firstRange(of: text) { return (index, range.lowerBound) }
    }
    isMissing = true
    return nil
  }
}
