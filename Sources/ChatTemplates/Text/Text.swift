// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A string as in Python: a sequence of code points. Each has a mark that says whether it came from the input; see `Letter`.
struct Text: Hashable, Sendable, ExpressibleByStringLiteral {
  var letters: [Letter]
  /// Whether the string is a `Markup`, as made by the filters `safe` and `escape`: text that is added to it is escaped.
  var isMarkup = false

  init(_ letters: [Letter], isMarkup: Bool = false) {
    self.letters = letters
    self.isMarkup = isMarkup
  }

  init(_ letters: ArraySlice<Letter>) { self.letters = Array(letters) }

  init(_ string: String, isInput: Bool = false) {
    letters = string.unicodeScalars.map { Letter($0, isInput: isInput) }
  }

  init(stringLiteral string: String) { self.init(string) }

  var count: Int { letters.count }
  var isEmpty: Bool { letters.isEmpty }

  /// The string without marks of input.
  var string: String {
    var scalars = String.UnicodeScalarView()
    for letter in letters { scalars.append(letter.scalar) }
    return String(scalars)
  }

  static func == (left: Text, right: Text) -> Bool { left.letters == right.letters }
  func hash(into hasher: inout Hasher) { hasher.combine(letters) }

  static func < (left: Text, right: Text) -> Bool {
    left.letters.lexicographicallyPrecedes(right.letters) { $0.code < $1.code }
  }

  static func == (left: Text, right: String) -> Bool {
    left.letters.elementsEqual(right.unicodeScalars) { $0 == $1 }
  }

  static func + (left: Text, right: Text) -> Text { Text(left.letters + right.letters) }

  mutating func append(_ other: Text) { letters += other.letters }
  mutating func append(_ letter: Letter) { letters.append(letter) }

  func repeated(_ times: Int) -> Text {
    var result: [Letter] = []
    result.reserveCapacity(count * times)
    for _ in 0..<times { result += letters }
    return Text(result)
  }
}

// MARK: Searching

extension Text {
  /// Returns the first index of `needle` within `range`.
  ///
  /// It takes time linear in the range (Knuth, Morris and Pratt), because templates choose both strings. Most searches compare only
  /// the first letter of `needle`.
  func firstIndex(of needle: Text, in range: Range<Int>) -> Int? {
    guard let first = needle.letters.first else { return range.lowerBound }
    if needle.count == 1 { return letters[range].firstIndex(of: first) }
    guard needle.count <= range.count else { return nil }
    let borders = needle.borders
    var matched = 0
    for index in range {
      while matched > 0 && needle.letters[matched] != letters[index] { matched = borders[matched - 1] }
      if needle.letters[matched] == letters[index] { matched += 1 }
      if matched == needle.count { return index - matched + 1 }
    }
    return nil
  }

  /// Returns the last index of `needle` within `range`.
  func lastIndex(of needle: Text, in range: Range<Int>) -> Int? {
    if needle.isEmpty { return range.upperBound }
    let reversed = Text(Array(letters[range].reversed()))
    let found = reversed.firstIndex(of: Text(Array(needle.letters.reversed())), in: 0..<reversed.count)
    return found.map { range.upperBound - $0 - needle.count }
  }

  /// For each prefix, the length of its longest proper prefix that is also its suffix.
  private var borders: [Int] {
    var borders = [0]
    borders.reserveCapacity(count)
    var length = 0
    for index in letters.indices.dropFirst() {
      while length > 0 && letters[length] != letters[index] { length = borders[length - 1] }
      if letters[length] == letters[index] { length += 1 }
      borders.append(length)
    }
    return borders
  }

  /// Returns the indices of non-overlapping occurrences of `needle` from the left, at most `limit`.
  func indices(of needle: Text, limit: Int = .max) -> [Int] {
    var found: [Int] = []
    var start = 0
    while found.count < limit, let index = firstIndex(of: needle, in: start..<count) {
      found.append(index)
      start = index + needle.count
    }
    return found
  }

  func contains(_ needle: Text) -> Bool { firstIndex(of: needle, in: 0..<count) != nil }

  func hasPrefix(_ prefix: Text, in range: Range<Int>? = nil) -> Bool { letters[range ?? 0..<count].starts(with: prefix.letters) }

  func hasSuffix(_ suffix: Text, in range: Range<Int>? = nil) -> Bool {
    letters[range ?? 0..<count].suffix(suffix.count) == suffix.letters[...]
  }
}

// MARK: Trimming, splitting, replacing

extension Text {
  enum Side { case left, right, both }

  /// Returns the text without letters at its ends that are in `set`; nil: white space.
  func stripped(_ set: Text?, _ side: Side) -> Text {
    let members = set.map { Set($0.letters) }
    func goes(_ letter: Letter) -> Bool { members?.contains(letter) ?? letter.isSpace }
    var start = 0
    var end = count
    if side != .right { while start < end && goes(letters[start]) { start += 1 } }
    if side != .left { while end > start && goes(letters[end - 1]) { end -= 1 } }
    return start == 0 && end == count ? self : Text(letters[start..<end])
  }

  /// Returns the parts between occurrences of a separator, split at most `limit` times from the left.
  func split(by separator: Text, limit: Int) -> [Text] {
    var parts: [Text] = []
    var start = 0
    for index in indices(of: separator, limit: limit) {
      parts.append(Text(letters[start..<index]))
      start = index + separator.count
    }
    parts.append(Text(letters[start...]))
    return parts
  }

  /// Returns the parts between occurrences of a separator, split at most `limit` times from the right.
  func splitFromRight(by separator: Text, limit: Int) -> [Text] {
    let backwards = Text(Array(letters.reversed()))
    let parts = backwards.split(by: Text(Array(separator.letters.reversed())), limit: limit)
    return parts.reversed().map { Text(Array($0.letters.reversed())) }
  }

  /// Returns the words between white space, split at most `limit` times from the left. The last part keeps the white space within
  /// it.
  func splitAtSpace(limit: Int) -> [Text] {
    var parts: [Text] = []
    var index = 0
    while true {
      while index < count && letters[index].isSpace { index += 1 }
      if index == count { return parts }
      if parts.count == limit {
        parts.append(Text(letters[index...]).stripped(nil, .right))
        return parts
      }
      let start = index
      while index < count && !letters[index].isSpace { index += 1 }
      parts.append(Text(letters[start..<index]))
    }
  }

  func splitAtSpaceFromRight(limit: Int) -> [Text] {
    Text(Array(letters.reversed())).splitAtSpace(limit: limit).reversed().map { Text(Array($0.letters.reversed())) }
  }

  func lines(keepingEnds: Bool = false) -> [Text] {
    var lines: [Text] = []
    var start = 0
    while start < count {
      let end = letters[start...].firstIndex(where: \.isLineBreak) ?? count
      var next = min(end + 1, count)
      if end + 1 < count, letters[end] == "\r", letters[end + 1] == "\n" { next += 1 }
      lines.append(Text(letters[start..<(keepingEnds ? next : end)]))
      start = next
    }
    return lines
  }

  func replacing(_ old: Text, with new: Text, limit: Int) -> Text {
    if old.isEmpty { return insertingBetweenLetters(new, limit: limit) }
    let places = indices(of: old, limit: limit)
    if places.isEmpty { return Text(letters) }
    var result: [Letter] = []
    result.reserveCapacity(count + places.count * (new.count - old.count))
    var start = 0
    for index in places {
      result += letters[start..<index]
      result += new.letters
      start = index + old.count
    }
    result += letters[start...]
    return Text(result)
  }

  private func insertingBetweenLetters(_ new: Text, limit: Int) -> Text {
    var result: [Letter] = []
    for index in 0...count {
      if index < limit { result += new.letters }
      if index < count { result.append(letters[index]) }
    }
    return Text(result)
  }

  static func joined(_ parts: [Text], separator: Text) -> Text {
    var result: [Letter] = []
    for (index, part) in parts.enumerated() {
      if index > 0 { result += separator.letters }
      result += part.letters
    }
    return Text(result)
  }
}
