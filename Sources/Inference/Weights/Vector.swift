// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The place of a vector of a model (a norm's weights, a bias) in each team's copy of all vectors; `none` if the model has none.
struct Vector {
  let offset: Int
  let count: Int

  static let none = Vector(offset: -1, count: 0)

  var isPresent: Bool { offset >= 0 }

  /// Returns row `row` of a vector that holds several rows of `length` elements.
  @inline(__always)
  func row(_ row: Int, length: Int) -> Vector {
    isPresent ? Vector(offset: offset + row * length, count: length) : self
  }

  /// A part of the vector.
  @inline(__always)
  subscript(part: Range<Int>) -> Vector {
    isPresent ? Vector(offset: offset + part.lowerBound, count: part.count) : self
  }
}
