// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF
import PackFormat

/// Makes any range of a blob's content, reading the rows that it holds.
struct BlobFiller<Source: TensorSource & ~Copyable>: ~Copyable, Sendable {
  /// One slice of a tensor.
  private struct Piece: Sendable {
    let tensor: Int
    let slice: TensorSlice
    let rowBytes: Int
    let rowCount: Int
    let expertCount: Int
    let transform: GroupTransform?

    var end: Int { slice.offset + slice.expertStride * (expertCount - 1) + slice.byteCount }
  }

  private let source: Source
  /// By offset.
  private let pieces: [Piece]

  /// For blob `blob` of `tensors`.
  init(_ source: consuming Source, tensors: [PackTensor], blob: Int) {
    self.source = source
    pieces = tensors.indices.flatMap { index in
      let tensor = tensors[index]
      let transform = GroupTransform(type: tensor.type, elements: tensor.rowElements)
      return tensor.slices.filter { $0.blob == blob }.map {
        Piece(
          tensor: index, slice: $0, rowBytes: tensor.type.byteCount(elements: tensor.rowElements) ?? 0, rowCount: tensor.rowCount,
          expertCount: tensor.expertCount, transform: $0.layout == .gguf ? nil : transform)
      }
    }.sorted { $0.slice.offset < $1.slice.offset }
  }

  /// Fills `buffer` with the content in `range`; what no slice covers is zero.
  func fill(_ range: Range<Int>, into buffer: UnsafeMutableRawBufferPointer, _ scratch: inout Scratch) throws(PackError) {
    var filled = range.lowerBound
    func clear(to end: Int) {
      guard end > filled else { return }
      unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[filled - range.lowerBound..<end - range.lowerBound])
        .initializeMemory(as: UInt8.self, repeating: 0)
    }
    for piece in pieces[firstPiece(endingAfter: range.lowerBound)...] {
      guard piece.slice.offset < range.upperBound else { break }
      for expert in experts(of: piece, in: range) {
        let start = piece.slice.offset + expert * piece.slice.expertStride
        let wanted = (start..<start + piece.slice.byteCount).clamped(to: range)
        guard !wanted.isEmpty else { continue }
        clear(to: wanted.lowerBound)
        let target = unsafe UnsafeMutableRawBufferPointer(
          rebasing: buffer[wanted.lowerBound - range.lowerBound..<wanted.upperBound - range.lowerBound])
        try unsafe fill(piece, expert, wanted.lowerBound - start..<wanted.upperBound - start, into: target, &scratch)
        filled = wanted.upperBound
      }
    }
    clear(to: range.upperBound)
  }

  /// Pieces do not overlap, so their ends ascend as their beginnings do.
  private func firstPiece(endingAfter offset: Int) -> Int {
    var low = 0
    var high = pieces.count
    while low < high {
      let middle = (low + high) / 2
      if pieces[middle].end > offset { high = middle } else { low = middle + 1 }
    }
    return low
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
    let size = transform.groupByteCount
    let plainBytes = transform.plainByteCount
    let groups = inside.lowerBound / size..<(inside.upperBound - 1) / size + 1
    let batch = max(1, Scratch.batchByteCount / plainBytes)
    for first in stride(from: groups.lowerBound, to: groups.upperBound, by: batch) {
      let last = min(groups.upperBound, first + batch)
      let rows = unsafe scratch.rows.bytes((last - first) * plainBytes)
      try unsafe source.read(tensor: piece.tensor, from: origin + first * plainBytes, into: rows, &scratch)
      for group in first..<last {
        let plain = unsafe UnsafeRawBufferPointer(
          rebasing: rows[(group - first) * plainBytes..<(group - first + 1) * plainBytes])
        let bytes = group * size..<(group + 1) * size
        let wanted = bytes.clamped(to: inside)
        let part = unsafe UnsafeMutableRawBufferPointer(
          rebasing: target[wanted.lowerBound - inside.lowerBound..<wanted.upperBound - inside.lowerBound])
        if wanted == bytes {
          unsafe transform.interleave(plain, into: part)
        } else {
          // The border of the range cuts through this group: make all of it, keep a part.
          let whole = unsafe scratch.group.bytes(size)
          unsafe transform.interleave(plain, into: whole)
          unsafe part.copyMemory(
            from: UnsafeRawBufferPointer(
              rebasing: whole[wanted.lowerBound - bytes.lowerBound..<wanted.upperBound - bytes.lowerBound]))
        }
      }
    }
  }
}
