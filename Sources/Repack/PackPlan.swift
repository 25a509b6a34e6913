// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import GGUF
import PackFormat

/// The properties of a pack to make.
public struct PackOptions: Sendable, Hashable {
  /// The number of nodes, 1 to 1024.
  public var nodeCount = 1
  /// How the weights are distributed over the nodes.
  public var placement = PackManifest.Placement.shard
  /// Whether a mirror has a file for each node.
  public var copies = false
  /// The alignment of blobs in bytes; a power of two from 4096 to 2^30.
  public var alignment = 2 << 20

  /// Options for one node and an alignment of 2 MiB.
  public init() {}
}

/// The assignment of rows to blobs and offsets.
public struct PackPlan: Sendable {
  /// The options that the plan was made for.
  public let options: PackOptions
  /// The tensors in the source's order, with their slices.
  public let tensors: [PackTensor]
  /// The size of each distinct blob in bytes: one per node, or a single one for a mirror, however many copies are written.
  public let blobByteCounts: [Int]

  /// Plans the pack of a model.
  ///
  /// - Parameter tensors: The name, type, dimensions and part of each tensor; slices are ignored.
  /// - Throws: `PackError.invalid` if sizes overflow.
  /// - Complexity: O(tensors × nodes).
  public init(tensors: [PackTensor], options: PackOptions) throws(PackError) {
    var planned = tensors
    for index in planned.indices { planned[index].slices = try Self.slices(of: tensors[index], options) }
    let allocator = OffsetAllocator(alignment: options.alignment)
    let order = tensors.indices.sorted { UseOrder(tensors[$0].name, index: $0) < UseOrder(tensors[$1].name, index: $1) }
    var sizes: [Int] = []
    for blob in 0..<(options.placement == .shard ? options.nodeCount : 1) {
      let places = order.flatMap { tensor in
        planned[tensor].slices.indices.filter { planned[tensor].slices[$0].blob == blob }.map { (tensor, $0) }
      }
      let requests = places.map { tensor, slice in
        // `slices(of:)` has checked that this does not overflow.
        let experts = planned[tensor].expertCount
        return OffsetAllocator.Request(
          extent: planned[tensor].slices[slice].extent(expertCount: experts)?.count ?? 0, isStacked: experts > 1)
      }
      guard let (offsets, end) = allocator.places(of: requests) else {
        throw .invalid(file: "the model", problem: "with its tensors a blob would have more than 2^61 bytes")
      }
      for ((tensor, slice), offset) in zip(places, offsets) { planned[tensor].slices[slice].offset = offset }
      // A blob ends on a page boundary, so that mapping a whole one needs no special case.
      sizes.append(end.roundedUp(toMultipleOf: OffsetAllocator.pageByteCount))
    }
    self.options = options
    self.tensors = planned
    blobByteCounts = sizes
  }

  /// Plans the pack of a model in GGUF.
  public init(_ model: GGUFModel, options: PackOptions) throws(PackError) {
    try self.init(
      tensors: model.tensors.map {
        PackTensor(name: $0.info.name, type: $0.info.type, dimensions: $0.info.dimensions, part: $0.part, slices: [])
      }, options: options)
  }

  /// Returns the rows of each blob. Whole 16-row groups are divided evenly; a tensor with a single row, such as a norm or a bias, goes to
  /// node 0.
  private static func rowsByBlob(of tensor: PackTensor, _ options: PackOptions) -> [(blob: Int, rows: Range<Int>)] {
    guard options.placement == .shard, tensor.rowCount > 1 else { return [(0, 0..<tensor.rowCount)] }
    let groups = tensor.rowCount.pieceCount(of: Layout.groupRows)
    let nodes = options.nodeCount
    // Dividing first avoids overflow: quotient × node is at most `groups`, and remainder × node is less than 2^20, because a pack has at
    // most 1024 nodes.
    func border(_ node: Int) -> Int {
      let (quotient, remainder) = groups.quotientAndRemainder(dividingBy: nodes)
      return min(tensor.rowCount, (quotient * node + remainder * node / nodes) * Layout.groupRows)
    }
    return (0..<nodes).map { ($0, border($0)..<border($0 + 1)) }.filter { !$0.1.isEmpty }
  }

  /// Divides rows into whole groups, which get the type's 16-row layout, and the rest, which keeps its layout.
  private static func layouts(of tensor: PackTensor, rows: Range<Int>) -> [(Layout, Range<Int>)] {
    guard let form = InterleavedForm(tensor.type), tensor.dimensions.count > 1,
      let group = form.groupByteCount(blocks: tensor.rowElements / tensor.type.blockElements), group <= groupByteLimit,
      let row = tensor.type.byteCount(elements: tensor.rowElements),
      group * 100 <= Layout.groupRows * row * (100 + growthPercent)
    else { return [(.gguf, rows)] }
    let middle = rows.lowerBound + rows.count / Layout.groupRows * Layout.groupRows
    return [(form.layout, rows.lowerBound..<middle), (.gguf, middle..<rows.upperBound)].filter { !$0.1.isEmpty }
  }

  /// The largest row group in bytes. Rows with larger groups keep their layout, because 16 rows must fit into memory several times.
  private static let groupByteLimit = 8 << 20
  /// The most that a tensor may grow in a 16-row layout, in percent.
  private static let growthPercent = 3

  /// Returns the slices of `tensor` on all nodes, without their offsets.
  private static func slices(of tensor: PackTensor, _ options: PackOptions) throws(PackError) -> [TensorSlice] {
    guard tensor.hasElements else { return [] }
    var slices: [TensorSlice] = []
    for (blob, rows) in rowsByBlob(of: tensor, options) {
      for (layout, rows) in layouts(of: tensor, rows: rows) {
        let experts = tensor.expertCount
        guard let bytes = layout.byteCount(type: tensor.type, elements: tensor.rowElements, rows: rows.count), bytes < Int.max / 8
        else { throw tooLarge(tensor) }
        // Page alignment would make a small expert many times larger, so one of less than a page begins on a cache line.
        let unit = bytes < OffsetAllocator.pageByteCount ? OffsetAllocator.smallestAlignment : OffsetAllocator.pageByteCount
        let slice = TensorSlice(
          blob: blob, layout: layout, offset: 0, byteCount: bytes,
          expertStride: experts > 1 ? bytes.roundedUp(toMultipleOf: unit) : 0, rowBegin: rows.lowerBound, rowCount: rows.count)
        guard let extent = slice.extent(expertCount: experts), extent.upperBound < Int.max / 8 else { throw tooLarge(tensor) }
        slices.append(slice)
      }
    }
    return slices
  }

  private static func tooLarge(_ tensor: PackTensor) -> PackError {
    .invalid(file: tensor.name, problem: "with this tensor the pack would have more than 2^60 bytes")
  }
}
