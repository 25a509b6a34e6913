// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A tensor as the header describes it.
public struct GGUFTensor: Sendable, Hashable {
  /// The tensor's name, at most 63 bytes.
  public let name: String
  /// The type of its elements.
  public let type: WeightType
  /// Sizes in elements, the fastest-running dimension first; one to four, trailing ones dropped.
  public let dimensions: [Int]
  /// Where its data begins, in bytes from the start of the data section.
  public let offset: Int
  /// Bytes of its data.
  public let byteCount: Int

  /// Elements of one row: the first dimension.
  public var rowElements: Int { dimensions[0] }
  /// Rows of one matrix: the second dimension, 1 if there is none.
  public var rowCount: Int { dimensions.count > 1 ? dimensions[1] : 1 }
  /// Stacked matrices (experts): the product of the third and fourth dimensions.
  public var expertCount: Int { dimensions.dropFirst(2).reduce(1, *) }

  /// Describes a tensor; nil if the dimensions are none, more than four, negative, overflow, or a row is not a whole number
  /// of blocks.
  public init?(name: String, type: WeightType, dimensions: [Int], offset: Int) {
    guard (1...GGUFLimits.dimensions).contains(dimensions.count), dimensions.allSatisfy({ $0 >= 0 }) else { return nil }
    guard var bytes = type.byteCount(elements: dimensions[0]) else { return nil }
    for size in dimensions.dropFirst() {
      let (product, overflow) = bytes.multipliedReportingOverflow(by: size)
      guard !overflow else { return nil }
      bytes = product
    }
    self.name = name
    self.type = type
    self.dimensions = Array(dimensions.prefix(1 + (dimensions.dropFirst().lastIndex { $0 != 1 } ?? 0)))
    self.offset = offset
    self.byteCount = bytes
  }
}
