import GGUF
import PackFormat

/// Makes any range of a blob's bytes, reading the rows that it holds.
struct BlobFiller<Reader: RowReader & ~Copyable>: ~Copyable, Sendable {
  /// One expert's rows of a slice.
  private struct Piece: Sendable {
    let tensor: Int
    let slice: TensorSlice
    let expertCount: Int
  }

  private let reader: Reader
  private let tensors: [PackTensor]
  private let transforms: [GroupTransform?]
  /// By offset.
  private let pieces: [Piece]

  /// For blob `blob` of `tensors`.
  init(_ reader: consuming Reader, tensors: [PackTensor], blob: Int) {
    self.reader = reader
    self.tensors = tensors
    transforms = tensors.map { GroupTransform(type: $0.type, elements: $0.rowElements) }
    pieces = tensors.indices.flatMap { index in
      tensors[index].slices.filter { $0.blob == blob }.map {
        Piece(tensor: index, slice: $0, expertCount: tensors[index].expertCount)
      }
    }.sorted { $0.slice.offset < $1.slice.offset }
  }

  /// Memory that a thread keeps while it fills one range after another.
  struct Scratch: ~Copyable {
    var rows = ByteBuffer(capacity: 0)
    var group = ByteBuffer(capacity: 0)
  }

  /// Fills `buffer` with the bytes of the blob in `range`; what no slice covers is zero.
  func fill(_ range: Range<Int>, into buffer: UnsafeMutableRawBufferPointer, _ scratch: inout Scratch) throws(PackError) {
    unsafe buffer.initializeMemory(as: UInt8.self, repeating: 0)
    for piece in pieces[firstPiece(endingAfter: range.lowerBound)...] {
      guard piece.slice.offset < range.upperBound else { break }
      for expert in experts(of: piece, in: range) {
        let start = piece.slice.offset + expert * piece.slice.expertStride
        let wanted = (start..<start + piece.slice.byteCount).clamped(to: range)
        guard !wanted.isEmpty else { continue }
        let target = unsafe UnsafeMutableRawBufferPointer(
          rebasing: buffer[wanted.lowerBound - range.lowerBound..<wanted.upperBound - range.lowerBound])
        let inside = wanted.lowerBound - start..<wanted.upperBound - start
        try unsafe fill(piece, expert, inside, into: target, &scratch)
      }
    }
  }

  private func end(of piece: Piece) -> Int {
    piece.slice.offset + (piece.expertCount - 1) * piece.slice.expertStride + piece.slice.byteCount
  }

  /// Pieces do not overlap, so their ends ascend as their beginnings do.
  private func firstPiece(endingAfter offset: Int) -> Int {
    var low = 0
    var high = pieces.count
    while low < high {
      let middle = (low + high) / 2
      if end(of: pieces[middle]) > offset { high = middle } else { low = middle + 1 }
    }
    return low
  }

  private func experts(of piece: Piece, in range: Range<Int>) -> Range<Int> {
    let stride = piece.slice.expertStride
    guard stride > 0 else { return 0..<1 }
    let first = max(0, (range.lowerBound - piece.slice.offset) / stride)
    let last = (range.upperBound - 1 - piece.slice.offset) / stride
    return first..<min(piece.expertCount, last + 1)
  }

  /// Fills `target` with bytes `inside` of one expert's rows of a slice.
  private func fill(
    _ piece: Piece, _ expert: Int, _ inside: Range<Int>, into target: UnsafeMutableRawBufferPointer, _ scratch: inout Scratch
  ) throws(PackError) {
    let slice = piece.slice
    let transform = slice.layout == .gguf ? nil : transforms[piece.tensor]
    // Rows come in units of one, or of a group of 16.
    let unitRows = transform == nil ? 1 : Layout.groupRows
    let unitBytes = slice.byteCount / (slice.rowCount / unitRows)
    let units = inside.lowerBound / unitBytes..<(inside.upperBound + unitBytes - 1) / unitBytes
    let rowBytes = transform?.rowByteCount ?? unitBytes
    let readBytes = units.count * unitRows * rowBytes
    let firstRow = slice.rowBegin + units.lowerBound * unitRows
    scratch.rows.reserve(readBytes)
    scratch.group.reserve(transform?.groupByteCount ?? 0)
    let group = unsafe transform == nil ? UnsafeMutableRawBufferPointer(start: nil, count: 0) : scratchGroup(&scratch, unitBytes)

    try unsafe scratch.rows.withMutableBytes(readBytes) { (rows) throws(PackError) in
      try unsafe reader.read(
        tensor: piece.tensor, expert: expert, rows: firstRow..<firstRow + units.count * unitRows, into: rows)
      for unit in units {
        let source = unsafe UnsafeRawBufferPointer(
          rebasing: rows[(unit - units.lowerBound) * unitRows * rowBytes..<(unit - units.lowerBound + 1) * unitRows * rowBytes])
        let bytes = unit * unitBytes..<(unit + 1) * unitBytes
        let wanted = bytes.clamped(to: inside)
        let part = unsafe UnsafeMutableRawBufferPointer(
          rebasing: target[wanted.lowerBound - inside.lowerBound..<wanted.upperBound - inside.lowerBound])
        let skipped = wanted.lowerBound - bytes.lowerBound
        if let transform, wanted.count == unitBytes {
          unsafe transform.interleave(source, into: part)
        } else if let transform {
          // The border of the range cuts through this group: make all of it, keep a part.
          unsafe transform.interleave(source, into: group)
          unsafe part.copyMemory(from: UnsafeRawBufferPointer(rebasing: group[skipped..<skipped + part.count]))
        } else {
          unsafe part.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[skipped..<skipped + part.count]))
        }
      }
    }
  }

  /// The scratch memory for one row group; `scratch` outlives its use within `fill`.
  private func scratchGroup(_ scratch: inout Scratch, _ count: Int) -> UnsafeMutableRawBufferPointer {
    unsafe scratch.group.withMutableBytes(count) { unsafe $0 }
  }
}
