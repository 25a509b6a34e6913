// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Finds the name that a misspelt word may stand for.
enum Spelling {
  /// Returns the candidate closest to a word; nil if none is close.
  static func nearest(to word: String, among candidates: [String]) -> String? {
    let limit = max(1, word.count / 3)
    let near = candidates.map { (name: $0, distance: distance(word, $0)) }.filter { $0.distance <= limit }
    return near.min { ($0.distance, $0.name) < ($1.distance, $1.name) }?.name
  }

  /// Returns how many letters must be inserted, removed, changed or swapped with a neighbour (optimal string alignment distance).
  static func distance(_ a: String, _ b: String) -> Int {
    let (a, b) = (Array(a.unicodeScalars), Array(b.unicodeScalars))
    var rows = [[Int]](repeating: [Int](repeating: 0, count: b.count + 1), count: a.count + 1)
    for i in 0...a.count { rows[i][0] = i }
    for j in 0...b.count { rows[0][j] = j }
    for i in 0..<a.count {
      for j in 0..<b.count {
        var least = min(rows[i][j + 1], rows[i + 1][j]) + 1
        least = min(least, rows[i][j] + (a[i] == b[j] ? 0 : 1))
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { least = min(least, rows[i - 1][j - 1] + 1) }
        rows[i + 1][j + 1] = least
      }
    }
    return rows[a.count][b.count]
  }
}
