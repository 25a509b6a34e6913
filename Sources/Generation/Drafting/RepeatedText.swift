// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Predicts a text from itself: what followed when its last tokens occurred before.
///
/// All memory is allocated at the beginning.
struct RepeatedText {
  /// The number of last tokens that must have occurred before, in the same order.
  static let matchLength = 3

  /// The text so far.
  private(set) var tokens: [Int32] = []
  /// The largest number of tokens in the text.
  let capacity: Int
  /// A hash table with linear probing: the index of the token after the last occurrence of some tokens; 0: empty.
  private var followers: [Int32]

  /// - Parameter capacity: The largest number of tokens in a text; a longer one is forgotten and starts again.
  init(capacity: Int) {
    self.capacity = max(capacity, Self.matchLength + 1)
    tokens.reserveCapacity(self.capacity)
    var size = 64
    while size < 2 * self.capacity { size *= 2 }
    followers = [Int32](repeating: 0, count: size)
  }

  /// Adds a token to the text.
  mutating func append(_ token: Int32) {
    if tokens.count == capacity {
      tokens.removeAll(keepingCapacity: true)
      for index in followers.indices { followers[index] = 0 }
    }
    // Only now, so that `foresee` finds an earlier occurrence of the last tokens instead of the last one.
    if tokens.count >= Self.matchLength { followers[place(before: tokens.count)] = Int32(tokens.count) }
    tokens.append(token)
  }

  /// Adds to `draft` the tokens that are likely to come next, at most `limit` of them.
  func foresee(_ limit: Int, into draft: inout [Int32]) {
    guard tokens.count > Self.matchLength, limit > 0 else { return }
    let source = Int(followers[place(before: tokens.count)])
    guard source > 0 else { return }
    let begin = draft.count
    // A text that repeats itself immediately continues into what has just been predicted.
    for index in source..<source + limit {
      draft.append(index < tokens.count ? tokens[index] : draft[begin + index - tokens.count])
    }
  }

  /// Returns the slot of the tokens before `end`: the one that they have, or the empty one that they would get.
  private func place(before end: Int) -> Int {
    var hash: UInt64 = 0
    for index in end - Self.matchLength..<end {
      hash = (hash ^ UInt64(UInt32(bitPattern: tokens[index]))) &* 0x9E37_79B9_7F4A_7C15
      hash ^= hash >> 29
    }
    let mask = followers.count - 1
    var place = Int(truncatingIfNeeded: hash) & mask
    while followers[place] > 0, !isSame(Int(followers[place]), end) { place = (place + 1) & mask }
    return place
  }

  private func isSame(_ end: Int, _ other: Int) -> Bool {
    (1...Self.matchLength).allSatisfy { tokens[end - $0] == tokens[other - $0] }
  }
}
