// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A tensor as the header describes it.
public struct GGUFTensor: ShapedTensor, Sendable, Hashable {
  /// The tensor's name, at most 63 bytes.
  public let name: String
  /// The type of its elements.
  public let type: WeightType
  /// The sizes in elements, fastest-running dimension first; one to four, without trailing ones.
  public let dimensions: [Int]
  /// The start of its data in bytes from the start of the data section.
  public let offset: Int
  /// The size of its data in bytes.
  public let byteCount: Int

  /// Describes a tensor.
  ///
  /// The result is nil if there are no dimensions, more than four, or negative ones; if a size overflows; if a row is not a whole number of
  /// blocks; or if the rows are not a whole number of the type's groups.
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
