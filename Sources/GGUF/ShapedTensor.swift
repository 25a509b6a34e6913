// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files

/// A tensor with GGUF dimensions: the elements of a row, the rows, and up to two dimensions of stacked matrices.
public protocol ShapedTensor {
  /// The sizes; at least one.
  var dimensions: [Int] { get }
}

extension ShapedTensor {
  /// The elements of one row: the first dimension.
  public var rowElements: Int { dimensions[0] }
  /// The rows of one matrix: the second dimension, or 1 if there is none.
  public var rowCount: Int { dimensions.count > 1 ? dimensions[1] : 1 }
  /// The number of stacked matrices (experts): the product of the third and fourth dimensions.
  public var expertCount: Int { dimensions.dropFirst(2).reduce(1, *) }
}

extension WeightType {
  /// Returns the bytes of a tensor with these dimensions; nil if a row is not a whole number of blocks, or on overflow.
  package func byteCount(dimensions: [Int]) -> Int? {
    dimensions.dropFirst().reduce(byteCount(elements: dimensions[0])) { bytes, size in bytes?.multiplied(by: size) }
  }
}
