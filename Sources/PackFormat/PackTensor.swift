// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF

/// A tensor of a pack: what it is, and where its rows lie.
public struct PackTensor: Sendable, Hashable {
  /// The tensor's name in the GGUF.
  public var name: String
  /// The type of its elements.
  public var type: WeightType
  /// Sizes in elements, the fastest-running first; one to four.
  public var dimensions: [Int]
  /// Index of the source part that holds it.
  public var part: Int
  /// Where its rows lie, in ascending order of rows: each row exactly once.
  public var slices: [TensorSlice]

  /// Describes a tensor.
  public init(name: String, type: WeightType, dimensions: [Int], part: Int, slices: [TensorSlice]) {
    self.name = name
    self.type = type
    self.dimensions = dimensions
    self.part = part
    self.slices = slices
  }

  /// Elements of one row.
  public var rowElements: Int { dimensions[0] }
  /// Rows of one expert.
  public var rowCount: Int { dimensions.count > 1 ? dimensions[1] : 1 }
  /// Stacked matrices; 1 for a plain one.
  public var expertCount: Int { dimensions.dropFirst(2).reduce(1, *) }
}

/// Consecutive rows of a tensor in one blob: the same rows of every expert.
public struct TensorSlice: Sendable, Hashable, Codable {
  /// Index of the blob.
  public var blob: Int
  /// How the rows are arranged.
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
    let (before, overflow) = expertStride.multipliedReportingOverflow(by: expertCount - 1)
    let (size, overflow2) = before.addingReportingOverflow(byteCount)
    let (end, overflow3) = offset.addingReportingOverflow(size)
    guard !overflow, !overflow2, !overflow3, offset >= 0, size >= 0 else { return nil }
    return offset..<end
  }
}

extension Layout: Codable {
  /// Bytes of `rows` rows of `elements` elements of `type` in this layout; nil if the layout does not hold such rows, or on overflow.
  public func byteCount(type: WeightType, elements: Int, rows: Int) -> Int? {
    guard rows >= 0, let rowBytes = type.byteCount(elements: elements) else { return nil }
    let result: (partialValue: Int, overflow: Bool)
    switch self {
    case .gguf:
      result = rowBytes.multipliedReportingOverflow(by: rows)
    case .r16k4, .r16k1:
      guard let form = InterleavedForm(type), form.layout == self, rows % Layout.groupRows == 0,
        let group = form.groupByteCount(blocks: elements / type.blockElements)
      else { return nil }
      result = group.multipliedReportingOverflow(by: rows / Layout.groupRows)
    }
    return result.overflow ? nil : result.partialValue
  }
}

extension PackTensor: Codable {
  private enum CodingKeys: String, CodingKey { case name, type, dimensions, part, slices }

  /// Reads a tensor; the type is given by its ggml name.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    let typeName = try container.decode(String.self, forKey: .type)
    guard let type = WeightType(name: typeName) else {
      throw DecodingError.dataCorruptedError(forKey: .type, in: container, debugDescription: "unknown weight type \(typeName)")
    }
    self.init(
      name: try container.decode(String.self, forKey: .name), type: type,
      dimensions: try container.decode([Int].self, forKey: .dimensions), part: try container.decode(Int.self, forKey: .part),
      slices: try container.decode([TensorSlice].self, forKey: .slices))
  }

  /// Writes a tensor; the type by its ggml name.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(name, forKey: .name)
    try container.encode(type.name, forKey: .type)
    try container.encode(dimensions, forKey: .dimensions)
    try container.encode(part, forKey: .part)
    try container.encode(slices, forKey: .slices)
  }
}
