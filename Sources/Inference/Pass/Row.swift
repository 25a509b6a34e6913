// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Floats that follow one another in memory that something else owns.
///
/// A debug build traps on an index out of bounds.
///
/// - Invariant: `start` points at `count` floats, which outlive the row.
struct Row {
  let start: UnsafeMutablePointer<Float>
  let count: Int

  @inline(__always)
  init(_ start: UnsafeMutablePointer<Float>, count: Int) {
    self.start = start
    self.count = count
  }

  @inline(__always)
  subscript(index: Int) -> Float {
    get {
      assert(index >= 0 && index < count, "element \(index) of a row of \(count)")
      return start[index]
    }
    nonmutating set {
      assert(index >= 0 && index < count, "element \(index) of a row of \(count)")
      start[index] = newValue
    }
  }

  /// A part of the row.
  @inline(__always)
  subscript(part: Range<Int>) -> Row {
    assert(part.lowerBound >= 0 && part.upperBound <= count, "elements \(part) of a row of \(count)")
    return Row(start + part.lowerBound, count: part.count)
  }

  @inline(__always)
  subscript(part: PartialRangeUpTo<Int>) -> Row { self[0..<part.upperBound] }

  @inline(__always)
  subscript(part: PartialRangeFrom<Int>) -> Row { self[part.lowerBound..<count] }

  @inline(__always)
  func copy(_ other: Row) {
    assert(count == other.count, "\(other.count) elements into a row of \(count)")
    start.update(from: other.start, count: count)
  }

  /// The sum of its elements, by 16 partial sums that are added in order: the same float on every machine.
  var sum: Float {
    var (sums, index) = (SIMD16<Float>.zero, 0)
    while index + 16 <= count {
      sums += UnsafeRawPointer(start + index).loadUnaligned(as: SIMD16<Float>.self)
      index += 16
    }
    var total: Float = 0
    for lane in 0..<16 { total += sums[lane] }
    while index < count {
      total += start[index]
      index += 1
    }
    return total
  }

  @inline(__always)
  func fill(_ value: Float) { start.update(repeating: value, count: count) }
}

/// Rows of one length that follow one another.
///
/// A debug build traps on a row out of bounds.
struct Rows {
  let start: UnsafeMutablePointer<Float>
  let count: Int
  /// The length of each row, in elements.
  let length: Int

  @inline(__always)
  init(_ start: UnsafeMutablePointer<Float>, count: Int, length: Int) {
    self.start = start
    self.count = count
    self.length = length
  }

  /// Returns the same rows without the first `row` ones.
  @inline(__always)
  func from(_ row: Int) -> Rows { Rows(start + row * length, count: max(0, count - row), length: length) }

  @inline(__always)
  subscript(row: Int) -> Row {
    assert(row >= 0 && row < count, "row \(row) of \(count)")
    return Row(start + row * length, count: length)
  }
}
