// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A tensor as the header describes it.
public struct GGUFTensor: ShapedTensor, Sendable, Hashable {
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

  /// Describes a tensor; nil if there are no dimensions, more than four or negative ones, sizes overflow, or a row is not a whole number
  /// of blocks, or the rows are not whole groups of the type.
  public init?(name: String, type: WeightType, dimensions: [Int], offset: Int) {
    guard (1...GGUFLimits.dimensions).contains(dimensions.count), dimensions.allSatisfy({ $0 >= 0 }) else { return nil }
    guard let byteCount = type.byteCount(dimensions: dimensions) else { return nil }
    guard (dimensions.count > 1 ? dimensions[1] : 1) % type.groupRows == 0 else { return nil }
    self.name = name
    self.type = type
    self.dimensions = Array(dimensions.prefix(1 + (dimensions.dropFirst().lastIndex { $0 != 1 } ?? 0)))
    self.offset = offset
    self.byteCount = byteCount
  }
}
