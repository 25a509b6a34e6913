import GGUF
import PackFormat

/// Any range of the bytes of one of a pack's source files, made again from the pack.
struct SourceBytes: ~Copyable, Sendable {
  /// Where consecutive bytes of the file come from.
  private enum Origin: Sendable {
    /// Bytes that the pack keeps as they were: header and gaps.
    case kept([UInt8])
    case zeros
    case tensor(Int)
  }

  private let reader: PackRowReader
  private let tensors: [PackTensor]
  /// By position; every byte of the file is in one.
  private let stretches: [(range: Range<Int>, origin: Origin)]

  /// For part `part` of the source of `pack`.
  init(_ pack: Pack, part: Int) throws(PackError) {
    let stretches = try Self.stretches(of: pack, part: part)
    let reader = try PackRowReader(pack)
    self.reader = reader
    self.stretches = stretches
    tensors = pack.manifest.tensors
  }

  private static func stretches(of pack: Pack, part: Int) throws(PackError) -> [(Range<Int>, Origin)] {
    let source = pack.manifest.source[part]
    let headerStart = pack.manifest.source[..<part].reduce(0) { $0 + $1.headerByteCount }
    let header = try bytes(of: pack, Pack.FileName.header, headerStart..<headerStart + source.headerByteCount)
    var stretches: [(Range<Int>, Origin)] = [(0..<source.headerByteCount, .kept(header))]
    for gap in SourceGaps.ranges(of: pack.headers[part], byteCount: source.byteCount) {
      stretches.append((gap, .zeros))
    }
    if pack.manifest.gapByteCount > 0 {
      var position = 0
      for earlier in 0..<part {
        position += SourceGaps.ranges(of: pack.headers[earlier], byteCount: pack.manifest.source[earlier].byteCount)
          .reduce(0) { $0 + $1.count }
      }
      for index in 1..<stretches.count {
        let size = stretches[index].0.count
        stretches[index].1 = .kept(try bytes(of: pack, Pack.FileName.gaps, position..<position + size))
        position += size
      }
    }
    for (index, tensor) in pack.manifest.tensors.enumerated() where tensor.part == part {
      let first = pack.manifest.tensors[..<index].lastIndex { $0.part != part }.map { $0 + 1 } ?? 0
      let info = pack.headers[part].tensors[index - first]
      let start = pack.headers[part].dataOffset + info.offset
      stretches.append((start..<start + info.byteCount, .tensor(index)))
    }
    return stretches.filter { !$0.0.isEmpty }.sorted { $0.0.lowerBound < $1.0.lowerBound }
  }

  private static func bytes(of pack: Pack, _ name: String, _ range: Range<Int>) throws(PackError) -> [UInt8] {
    guard !range.isEmpty else { return [] }
    let file = try PositionedFile(pack.path + "/" + name)
    var buffer = ByteBuffer(capacity: range.count)
    try unsafe buffer.withMutableBytes(range.count) { (bytes) throws(PackError) in
      try unsafe file.read(range.lowerBound, into: bytes)
    }
    return buffer.withBytes(range.count) { bytes in unsafe bytes.withUnsafeBytes { unsafe Array($0) } }
  }

  /// Fills `buffer` with the file's bytes in `range`.
  func fill(_ range: Range<Int>, into buffer: UnsafeMutableRawBufferPointer, _ rows: inout ByteBuffer) throws(PackError) {
    for stretch in stretches[first(endingAfter: range.lowerBound)...] {
      let wanted = stretch.range.clamped(to: range)
      guard stretch.range.lowerBound < range.upperBound else { break }
      let target = unsafe UnsafeMutableRawBufferPointer(
        rebasing: buffer[wanted.lowerBound - range.lowerBound..<wanted.upperBound - range.lowerBound])
      let inside = wanted.lowerBound - stretch.range.lowerBound..<wanted.upperBound - stretch.range.lowerBound
      switch stretch.origin {
      case .kept(let bytes): unsafe target.copyBytes(from: bytes[inside])
      case .zeros: unsafe target.initializeMemory(as: UInt8.self, repeating: 0)
      case .tensor(let index): try unsafe fill(index, inside, into: target, &rows)
      }
    }
  }

  private func first(endingAfter offset: Int) -> Int {
    var low = 0
    var high = stretches.count
    while low < high {
      let middle = (low + high) / 2
      if stretches[middle].range.upperBound > offset { high = middle } else { low = middle + 1 }
    }
    return low
  }

  /// Fills `target` with bytes `inside` of a tensor, expert by expert and in whole groups of rows, so that no group is undone twice
  /// but at the borders.
  private func fill(_ index: Int, _ inside: Range<Int>, into target: UnsafeMutableRawBufferPointer, _ buffer: inout ByteBuffer)
    throws(PackError)
  {
    let tensor = tensors[index]
    guard let row = tensor.type.byteCount(elements: tensor.rowElements) else { return }
    let expertBytes = row * tensor.rowCount
    var position = inside.lowerBound
    while position < inside.upperBound {
      let (expert, within) = position.quotientAndRemainder(dividingBy: expertBytes)
      let end = min(inside.upperBound - expert * expertBytes, expertBytes)
      let rows = within / row..<(end + row - 1) / row
      let part = unsafe UnsafeMutableRawBufferPointer(
        rebasing: target[position - inside.lowerBound..<position - inside.lowerBound + end - within])
      if rows.count * row == part.count {
        try unsafe reader.read(tensor: index, expert: expert, rows: rows, into: part)
      } else {
        buffer.reserve(rows.count * row)
        try unsafe buffer.withMutableBytes(rows.count * row) { (bytes) throws(PackError) in
          try unsafe reader.read(tensor: index, expert: expert, rows: rows, into: bytes)
          let skipped = within - rows.lowerBound * row
          unsafe part.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[skipped..<skipped + part.count]))
        }
      }
      position += end - within
    }
  }
}
