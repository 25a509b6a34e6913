import GGUF
import PackFormat

/// What a pack shall be like.
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

  /// A tensor stays within a 64th of its size when its beginning is aligned.
  private static let paddingDivisor = 64
  /// What the smallest slices are aligned to: a cache line.
  private static let smallestAlignment = 64
  /// What each expert of a stacked tensor is aligned to: a page, so that it can be bound, moved or pinned alone.
  private static let pageByteCount = 4096

  /// Plans the pack of a model.
  ///
  /// - Parameter tensors: Name, type, sizes and part of each; slices are ignored.
  /// - Throws: `PackError.invalid` if sizes overflow.
  /// - Complexity: O(tensors × nodes).
  public init(tensors: [PackTensor], options: PackOptions) throws(PackError) {
    var ends = [Int](repeating: 0, count: options.placement == .shard ? options.nodeCount : 1)
    var planned: [PackTensor] = []
    planned.reserveCapacity(tensors.count)
    for var tensor in tensors {
      tensor.slices = []
      let shares = Self.shares(of: tensor, options)
      for (blob, rows) in shares {
        for (layout, rows) in Self.layouts(of: tensor, rows: rows) {
          let slice = try Self.place(tensor, rows, layout, blob: blob, end: &ends[blob], options)
          tensor.slices.append(slice)
        }
      }
      planned.append(tensor)
    }
    self.options = options
    self.tensors = planned
    // Blobs end on a page, so that mapping one whole needs no special case.
    blobByteCounts = ends.map { Self.align($0, to: Self.pageByteCount) }
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
    let groups = (tensor.rowCount + Layout.groupRows - 1) / Layout.groupRows
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
    guard let form = InterleavedForm(tensor.type), tensor.dimensions.count > 1 else { return [(.gguf, rows)] }
    let middle = rows.lowerBound + rows.count / Layout.groupRows * Layout.groupRows
    return [(form.layout, rows.lowerBound..<middle), (.gguf, middle..<rows.upperBound)].filter { !$0.1.isEmpty }
  }

  private static func place(
    _ tensor: PackTensor, _ rows: Range<Int>, _ layout: Layout, blob: Int, end: inout Int, _ options: PackOptions
  ) throws(PackError) -> TensorSlice {
    let experts = tensor.expertCount
    guard let bytes = layout.byteCount(type: tensor.type, elements: tensor.rowElements, rows: rows.count),
      bytes < Int.max / 4
    else { throw tooLarge(tensor) }
    var alignment = smallestAlignment
    while alignment < options.alignment, alignment * 2 * paddingDivisor <= bytes { alignment *= 2 }
    if experts > 1 { alignment = max(alignment, pageByteCount) }
    let stride = experts > 1 ? align(bytes, to: pageByteCount) : 0
    let start = align(end, to: alignment)
    let slice = TensorSlice(
      blob: blob, layout: layout, offset: start, byteCount: bytes, expertStride: stride, rowBegin: rows.lowerBound,
      rowCount: rows.count)
    guard let extent = slice.extent(expertCount: experts), extent.upperBound < Int.max / 2 else { throw tooLarge(tensor) }
    end = extent.upperBound
    return slice
  }

  private static func tooLarge(_ tensor: PackTensor) -> PackError {
    .invalid(file: tensor.name, problem: "with this tensor the pack would have more than 2^62 bytes")
  }

  static func align(_ value: Int, to alignment: Int) -> Int { (value + alignment - 1) & ~(alignment - 1) }
}
