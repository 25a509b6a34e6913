// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import GGUF

/// A tensor of a pack: its name, type and dimensions, and where its rows lie.
public struct PackTensor: ShapedTensor, Sendable, Hashable {
  /// The tensor's name in the GGUF.
  public var name: String
  /// The type of its elements.
  public var type: WeightType
  /// The sizes in elements, fastest-running dimension first; one to four.
  public var dimensions: [Int]
  /// The index of the source part that holds it.
  public var part: Int
  /// The places of its rows in ascending order, each row exactly once; empty if the tensor has no elements.
  public var slices: [TensorSlice]

  /// Describes a tensor.
  public init(name: String, type: WeightType, dimensions: [Int], part: Int, slices: [TensorSlice]) {
    self.name = name
    self.type = type
    self.dimensions = dimensions
    self.part = part
    self.slices = slices
  }

  /// Whether it has any data. In some files a dimension of 0 only marks a feature.
  public var hasElements: Bool { !dimensions.contains(0) }
  /// The size of its data in the GGUF in bytes; nil if a row is not a whole number of blocks, or on overflow.
  package var byteCount: Int? { type.byteCount(dimensions: dimensions) }
}

/// Consecutive rows of a tensor in one blob. For stacked experts, the same rows of every expert.
public struct TensorSlice: Sendable, Hashable {
  /// The index of the blob.
  public var blob: Int
  /// The layout of the rows.
  public var layout: Layout
  /// The start of the first expert's rows in the blob, in bytes.
  public var offset: Int
  /// The bytes of one expert's rows.
  public var byteCount: Int
  /// The bytes from the start of one expert's rows to the start of the next; 0 if there is one expert.
  public var expertStride: Int
  /// The first row.
  public var rowBegin: Int
  /// The number of rows; a multiple of 16 in the 16-row layouts.
  public var rowCount: Int

  /// Describes a slice.
  public init(blob: Int, layout: Layout, offset: Int, byteCount: Int, expertStride: Int, rowBegin: Int, rowCount: Int) {
    self.blob = blob
    self.layout = layout
    self.offset = offset
    self.byteCount = byteCount
    self.expertStride = expertStride
    self.rowBegin = rowBegin
    self.rowCount = rowCount
  }

  /// Returns the bytes of the blob from the start of the first expert's rows to the end of the last one's; nil on overflow.
  public func extent(expertCount: Int) -> Range<Int>? {
    guard let size = expertStride.multiplied(by: expertCount - 1)?.adding(byteCount), size >= 0,
      let end = offset.adding(size), offset >= 0
    else { return nil }
    return offset..<end
  }
}
