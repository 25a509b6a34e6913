// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import GGUF
import PackFormat

/// The content of a blob, made from the rows of tensors.
final class RowContent: BlobContent {
  /// One slice of a tensor.
  private struct Piece: Sendable {
    let tensor: Int
    let slice: TensorSlice
    let rowBytes: Int
    let rowCount: Int
    let expertCount: Int
    let transform: GroupTransform?
    /// The bytes of the blob that it covers.
    let extent: Range<Int>
  }

  private let source: any TensorSource
  /// The slices of the blob, sorted by offset.
  private let pieces: [Piece]

  /// The content of blob `blob` of `tensors`.
  init(_ source: any TensorSource, tensors: [PackTensor], blob: Int) {
    self.source = source
    pieces = tensors.indices.flatMap { index in
      let tensor = tensors[index]
      let transform = GroupTransform(type: tensor.type, elements: tensor.rowElements)
      return tensor.slices.filter { $0.blob == blob }.compactMap { slice in
        slice.extent(expertCount: tensor.expertCount).map {
          Piece(
            tensor: index, slice: slice, rowBytes: tensor.type.byteCount(elements: tensor.rowElements) ?? 0,
            rowCount: tensor.rowCount, expertCount: tensor.expertCount, transform: slice.layout == .gguf ? nil : transform,
            extent: $0)
        }
      }
    }.sorted { $0.slice.offset < $1.slice.offset }
  }

  /// Fills `buffer` with the content in `range`; bytes that no slice covers are zero.
  func fill(_ range: Range<Int>, into buffer: UnsafeMutableRawBufferPointer, _ scratch: inout Scratch) throws(PackError) {
    var filled = range.lowerBound
    func clear(to end: Int) {
      guard end > filled else { return }
      unsafe buffer[bytes: (filled..<end).relative(to: range.lowerBound)].clear()
    }
    // Pieces do not overlap, so their ends are sorted as their starts are.
    for piece in pieces[pieces.partitioningIndex { $0.extent.upperBound > range.lowerBound }...] {
      guard piece.slice.offset < range.upperBound else { break }
      for expert in experts(of: piece, in: range) {
        let start = piece.slice.offset + expert * piece.slice.expertStride
        let wanted = (start..<start + piece.slice.byteCount).clamped(to: range)
        guard !wanted.isEmpty else { continue }
        clear(to: wanted.lowerBound)
        let target = unsafe buffer[bytes: wanted.relative(to: range.lowerBound)]
        try unsafe fill(piece, expert, wanted.relative(to: start), into: target, &scratch)
        filled = wanted.upperBound
      }
    }
    clear(to: range.upperBound)
  }

  private func experts(of piece: Piece, in range: Range<Int>) -> Range<Int> {
    let stride = piece.slice.expertStride
    guard stride > 0 else { return 0..<1 }
    let first = max(0, (range.lowerBound - piece.slice.offset) / stride)
    let last = (range.upperBound - 1 - piece.slice.offset) / stride
    return min(first, piece.expertCount)..<min(piece.expertCount, last + 1)
  }

  /// Fills `target` with bytes `inside` of one expert's rows of a slice.
  private func fill(
    _ piece: Piece, _ expert: Int, _ inside: Range<Int>, into target: UnsafeMutableRawBufferPointer, _ scratch: inout Scratch
  ) throws(PackError) {
    let origin = (expert * piece.rowCount + piece.slice.rowBegin) * piece.rowBytes
    guard let transform = piece.transform else {
      return try unsafe source.read(tensor: piece.tensor, from: origin + inside.lowerBound, into: target, &scratch)
    }
    let rows = Scratch.batchByteCount / transform.plainByteCount
    let memory = unsafe scratch.making.memory(for: inside, transform.making, groups: rows)
    try unsafe memory.forEachGroup(of: transform.making, in: inside, into: target) { (offset, bytes) throws(PackError) in
      try unsafe source.read(tensor: piece.tensor, from: origin + offset, into: bytes, &scratch)
    } convert: { plain, group in
      unsafe transform.interleave(plain, into: group)
    }
  }
}
