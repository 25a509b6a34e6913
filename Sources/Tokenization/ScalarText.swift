// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A text as scalars with their classes, for the rules that split it into words.
///
/// A byte that belongs to no well-formed character counts as one scalar, U+FFFD, but keeps its byte.
struct ScalarText {
  private(set) var values: [UInt32] = []
  private(set) var classes: [CharacterClass] = []
  /// Where each scalar begins in the bytes, then where the last one ends.
  private(set) var offsets: [UInt32] = []

  /// Scalars.
  var count: Int { values.count }

  /// Reads a text of less than 4 GiB.
  init(_ bytes: Span<UInt8>) {
    values.reserveCapacity(bytes.count)
    classes.reserveCapacity(bytes.count)
    offsets.reserveCapacity(bytes.count + 1)
    var index = 0
    while index < bytes.count {
      let (value, length) = UTF8Bytes.scalar(bytes, index) ?? (0xfffd, 1)
      values.append(value)
      classes.append(CharacterClass.of(value))
      offsets.append(UInt32(truncatingIfNeeded: index))
      index += length
    }
    offsets.append(UInt32(truncatingIfNeeded: bytes.count))
  }

  /// Where the scalars of `range` lie in the bytes.
  func byteRange(_ range: Range<Int>) -> Range<Int> { Int(offsets[range.lowerBound])..<Int(offsets[range.upperBound]) }

  /// Whether the scalar at `index`, if it lies before `limit`, is of one of `classes`.
  func isAny(_ classes: CharacterClass, at index: Int, before limit: Int) -> Bool {
    index < limit && !self.classes[index].isDisjoint(with: classes)
  }

  /// Whether there is a scalar at `index` before `limit`, and it is of none of `classes`.
  func isNone(_ classes: CharacterClass, at index: Int, before limit: Int) -> Bool {
    index < limit && self.classes[index].isDisjoint(with: classes)
  }

  /// The scalar at `index`, or nil from `limit` on.
  func value(at index: Int, before limit: Int) -> UInt32? { index < limit ? values[index] : nil }

  /// Where the run of scalars of one of `classes` ends that begins at `index`.
  func endOfRun(_ classes: CharacterClass, from index: Int, before limit: Int) -> Int {
    var index = index
    while index < limit, !self.classes[index].isDisjoint(with: classes) { index += 1 }
    return index
  }

  /// Where the run of scalars of none of `classes` ends that begins at `index`.
  func endOfRun(without classes: CharacterClass, from index: Int, before limit: Int) -> Int {
    var index = index
    while index < limit, self.classes[index].isDisjoint(with: classes) { index += 1 }
    return index
  }

  /// Where the run of scalars that satisfy `predicate` ends that begins at `index`.
  func endOfRun(from index: Int, before limit: Int, where predicate: (UInt32) -> Bool) -> Int {
    var index = index
    while index < limit, predicate(values[index]) { index += 1 }
    return index
  }
}
