// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import GGUF
import PackFormat

/// What a pack is to be like.
public struct PackOptions: Sendable, Hashable {
  /// For how many nodes; 1 to 1024.
  public var nodeCount = 1
  /// How weights are divided over the nodes.
  public var placement = PackManifest.Placement.shard
  /// Whether a mirror gets a file for each node.
  public var copies = false
  /// What blobs are aligned to, in bytes; a power of two from 4096 to 2^30.
  public var alignment = 2 << 20

  /// One node, 2 MiB.
  public init() {}
}

/// Which rows go to which blob, at which offset.
public struct PackPlan: Sendable {
  /// What was asked for.
  public let options: PackOptions
  /// The tensors, in the source's order, with their slices.
  public let tensors: [PackTensor]
  /// The size of each distinct blob: one for each node, or one for a mirror however many copies of it are written.
  public let blobByteCounts: [Int]

  /// Plans the pack of a model.
  ///
  /// - Parameter tensors: Name, type, sizes and part of each; slices are ignored.
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
        // `slices(of:)` has found that it does not overflow.
        let experts = planned[tensor].expertCount
        return OffsetAllocator.Request(
          extent: planned[tensor].slices[slice].extent(expertCount: experts)?.count ?? 0, isStacked: experts > 1)
      }
      guard let (offsets, end) = allocator.places(of: requests) else {
        throw .invalid(file: "the model", problem: "with its tensors a blob would have more than 2^61 bytes")
      }
      for ((tensor, slice), offset) in zip(places, offsets) { planned[tensor].slices[slice].offset = offset }
      // Blobs end on a page, so that mapping one whole needs no special case.
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

  /// The rows that each blob holds: 16-row groups divided evenly; of a single row, as norms and biases are, all on node 0.
  private static func shares(of tensor: PackTensor, _ options: PackOptions) -> [(blob: Int, rows: Range<Int>)] {
    guard options.placement == .shard, tensor.rowCount > 1 else { return [(0, 0..<tensor.rowCount)] }
    let groups = tensor.rowCount.pieceCount(of: Layout.groupRows)
    let nodes = options.nodeCount
    // Written so that groups × nodes cannot overflow: nodes is at most 1024, and a count of rows was once a count of bytes / 2^10.
    func border(_ node: Int) -> Int {
      let (quotient, remainder) = groups.quotientAndRemainder(dividingBy: nodes)
      return min(tensor.rowCount, (quotient * node + remainder * node / nodes) * Layout.groupRows)
    }
    return (0..<nodes).map { ($0, border($0)..<border($0 + 1)) }.filter { !$0.1.isEmpty }
  }

  /// Whole groups in the type's 16-row layout, the rest as it was.
  private static func layouts(of tensor: PackTensor, rows: Range<Int>) -> [(Layout, Range<Int>)] {
    guard let form = InterleavedForm(tensor.type), tensor.dimensions.count > 1,
      let group = form.groupByteCount(blocks: tensor.rowElements / tensor.type.blockElements), group <= groupByteLimit,
      let row = tensor.type.byteCount(elements: tensor.rowElements),
      group * 100 <= Layout.groupRows * row * (100 + growthPercent)
    else { return [(.gguf, rows)] }
    let middle = rows.lowerBound + rows.count / Layout.groupRows * Layout.groupRows
    return [(form.layout, rows.lowerBound..<middle), (.gguf, middle..<rows.upperBound)].filter { !$0.1.isEmpty }
  }

  /// A row group that is larger stays as it was: 16 rows must fit into memory several times over.
  private static let groupByteLimit = 8 << 20
  /// What a tensor may grow by in a 16-row layout, in percent.
  private static let growthPercent = 3

  /// The slices of `tensor` on all nodes, without their places.
  private static func slices(of tensor: PackTensor, _ options: PackOptions) throws(PackError) -> [TensorSlice] {
    guard tensor.hasElements else { return [] }
    var slices: [TensorSlice] = []
    for (blob, rows) in shares(of: tensor, options) {
      for (layout, rows) in layouts(of: tensor, rows: rows) {
        let experts = tensor.expertCount
        guard let bytes = layout.byteCount(type: tensor.type, elements: tensor.rowElements, rows: rows.count), bytes < Int.max / 8
        else { throw tooLarge(tensor) }
        // An expert of less than a page would grow manifold; it begins on a cache line.
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
