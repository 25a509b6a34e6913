// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import GGUF
import PackFormat

/// Makes any range of a source file from a pack: header, tensors, and what lies between them.
struct SourceFiller: ~Copyable, Sendable {
  /// A range of the file's bytes that has one origin.
  private struct Piece: Sendable {
    enum Origin: Sendable {
      /// Bytes of `header.gguf` from this offset.
      case header(Int)
      /// Bytes of `gaps.bin` from this offset; zeros if the file does not exist.
      case gap(Int)
      /// The data of the tensor with this index in the manifest.
      case tensor(Int)
    }

    let range: Range<Int>
    let origin: Origin
  }

  private let tensors: PackTensors
  private let header: File<PackError>
  private let gaps: File<PackError>?
  /// The pieces of each part, in order and without holes.
  private let parts: [[Piece]]

  init(_ pack: Pack) throws(PackError) {
    let hasGaps = pack.manifest.gapByteCount > 0
    let tensors = try PackTensors(pack)
    let header = try File<PackError>(pack.path.entry(Pack.FileName.header), links: .followed)
    let gaps = hasGaps ? try File<PackError>(pack.path.entry(Pack.FileName.gaps), links: .followed) : nil
    self.tensors = tensors
    self.header = header
    self.gaps = gaps
    parts = Self.pieces(of: pack)
  }

  private static func pieces(of pack: Pack) -> [[Piece]] {
    var headerStart = 0
    var gapStart = 0
    var tensor = 0
    return zip(pack.manifest.source, pack.headers).map { part, header in
      var pieces = [Piece(range: 0..<part.headerByteCount, origin: .header(headerStart))]
      headerStart += part.headerByteCount
      for gap in SourceGaps.ranges(of: header, byteCount: part.byteCount) {
        pieces.append(Piece(range: gap, origin: .gap(gapStart)))
        gapStart += gap.count
      }
      for info in header.tensors {
        let start = header.dataOffset + info.offset
        pieces.append(Piece(range: start..<start + info.byteCount, origin: .tensor(tensor)))
        tensor += 1
      }
      return pieces.filter { !$0.range.isEmpty }.sorted { $0.range.lowerBound < $1.range.lowerBound }
    }
  }

  /// Fills `buffer` with the bytes of part `part` in `range`.
  func fill(
    part: Int, _ range: Range<Int>, into buffer: UnsafeMutableRawBufferPointer, _ scratch: inout Scratch
  ) throws(PackError) {
    let pieces = parts[part]
    var index = pieces.partitioningIndex { $0.range.upperBound > range.lowerBound }
    while index < pieces.count, pieces[index].range.lowerBound < range.upperBound {
      let piece = pieces[index]
      let wanted = piece.range.clamped(to: range)
      let inside = wanted.lowerBound - piece.range.lowerBound
      let target = unsafe buffer[bytes: wanted.relative(to: range.lowerBound)]
      switch piece.origin {
      case .header(let start): try unsafe header.read(start + inside, into: target)
      case .gap(let start):
        if gaps != nil {
          try unsafe gaps?.read(start + inside, into: target)
        } else {
          unsafe target.clear()
        }
      case .tensor(let tensor): try unsafe tensors.read(tensor: tensor, from: inside, into: target, &scratch)
      }
      index += 1
    }
  }
}
