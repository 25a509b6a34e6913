// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import GGUF

/// A tensor of a pack: what it is, and where its rows lie.
public struct PackTensor: ShapedTensor, Sendable, Hashable {
  /// The tensor's name in the GGUF.
  public var name: String
  /// The type of its elements.
  public var type: WeightType
  /// Sizes in elements, the fastest-running first; one to four.
  public var dimensions: [Int]
  /// Index of the source part that holds it.
  public var part: Int
  /// Where its rows lie, in ascending order of rows: each row exactly once; none if it has no elements.
  public var slices: [TensorSlice]

  /// Describes a tensor.
  public init(name: String, type: WeightType, dimensions: [Int], part: Int, slices: [TensorSlice]) {
    self.name = name
    self.type = type
    self.dimensions = dimensions
    self.part = part
    self.slices = slices
  }

  /// Whether it has any data: sizes of 0 mark a feature in some files.
  public var hasElements: Bool { !dimensions.contains(0) }
  /// Bytes of its data in the GGUF; nil if a row is not whole blocks, or on overflow.
  package var byteCount: Int? { type.byteCount(dimensions: dimensions) }
}

/// Consecutive rows of a tensor in one blob: the same rows of every expert.
public struct TensorSlice: Sendable, Hashable {
  /// Index of the blob.
  public var blob: Int
  /// The layout of the rows.
  public var layout: Layout
  /// Where the first expert's rows begin in the blob, in bytes.
  public var offset: Int
  /// Bytes of one expert's rows.
  public var byteCount: Int
  /// Bytes from one expert's rows to the next one's; 0 where there is one expert.
  public var expertStride: Int
  /// The first row.
  public var rowBegin: Int
  /// How many rows; a multiple of 16 in the 16-row layouts.
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

  /// The bytes of the blob from the first expert's first to the last one's last; nil on overflow.
  public func extent(expertCount: Int) -> Range<Int>? {
    guard let size = expertStride.multiplied(by: expertCount - 1)?.adding(byteCount), size >= 0,
      let end = offset.adding(size), offset >= 0
    else { return nil }
    return offset..<end
  }
}
