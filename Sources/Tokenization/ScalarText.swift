// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A text as scalars with their classes, for the rules that split it into words.
///
/// A byte that is not part of a well-formed character counts as one scalar, U+FFFD, but keeps its byte.
struct ScalarText {
  private(set) var values: [UInt32] = []
  private(set) var classes: [CharacterClass] = []
  /// The offset of each scalar in the bytes, followed by the end of the last one.
  private(set) var offsets: [UInt32] = []

  /// The number of scalars.
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

  /// Returns the bytes of some scalars.
  func byteRange(_ range: Range<Int>) -> Range<Int> { Int(offsets[range.lowerBound])..<Int(offsets[range.upperBound]) }

  /// Whether there is a scalar at `index` before `limit` that has one of `classes`.
  func isAny(_ classes: CharacterClass, at index: Int, before limit: Int) -> Bool {
    index < limit && !self.classes[index].isDisjoint(with: classes)
  }

  /// Whether there is a scalar at `index` before `limit` that has none of `classes`.
  func isNone(_ classes: CharacterClass, at index: Int, before limit: Int) -> Bool {
    index < limit && self.classes[index].isDisjoint(with: classes)
  }

  /// Returns the scalar at `index`; nil from `limit` on.
  func value(at index: Int, before limit: Int) -> UInt32? { index < limit ? values[index] : nil }

  /// Returns the end of the run, from `index` on, of scalars that have one of `classes`.
  func endOfRun(_ classes: CharacterClass, from index: Int, before limit: Int) -> Int {
    var index = index
    while index < limit, !self.classes[index].isDisjoint(with: classes) { index += 1 }
    return index
  }

  /// Returns the end of the run, from `index` on, of scalars that have none of `classes`.
  func endOfRun(without classes: CharacterClass, from index: Int, before limit: Int) -> Int {
    var index = index
    while index < limit, self.classes[index].isDisjoint(with: classes) { index += 1 }
    return index
  }

  /// Returns the end of the run, from `index` on, of scalars that satisfy `predicate`.
  func endOfRun(from index: Int, before limit: Int, where predicate: (UInt32) -> Bool) -> Int {
    var index = index
    while index < limit, predicate(values[index]) { index += 1 }
    return index
  }
}
