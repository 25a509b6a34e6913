import GGUF
import PackFormat

/// Where a conversion takes rows from: a GGUF, or another pack.
protocol RowReader: Sendable, ~Copyable {
  /// Fills `buffer` with `rows` of one expert of tensor `tensor`, as they are in the GGUF.
  ///
  /// - Precondition: `buffer` has exactly their size.
  func read(tensor: Int, expert: Int, rows: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) throws(PackError)
}

/// Reads rows from a model's GGUF files.
struct GGUFRowReader: RowReader, ~Copyable {
  private let tensors: [GGUFModel.Tensor]
  private let dataOffsets: [Int]
  private let files: Files

  /// Opens the files of `model`.
  init(_ model: GGUFModel) throws(PackError) {
    tensors = model.tensors
    dataOffsets = model.parts.map(\.header.dataOffset)
    files = try Files(model.parts.map(\.path), followsLinks: true)
  }

  func read(tensor: Int, expert: Int, rows: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) throws(PackError) {
    let place = tensors[tensor]
    let info = place.info
    let row = info.byteCount / (info.rowCount * info.expertCount)
    let offset = dataOffsets[place.part] + info.offset + (expert * info.rowCount + rows.lowerBound) * row
    try unsafe files[place.part].file.read(offset, into: buffer)
  }
}

/// Several open files, closed together.
struct Files: Sendable {
  /// One of them: a class, because an array holds no noncopyable values.
  final class Entry: Sendable {
    let file: PositionedFile
    init(_ path: String, followsLinks: Bool) throws(PackError) { file = try PositionedFile(path, followsLinks: followsLinks) }
  }

  private let entries: [Entry]

  init(_ paths: [String], followsLinks: Bool = false) throws(PackError) {
    var entries: [Entry] = []
    for path in paths { entries.append(try Entry(path, followsLinks: followsLinks)) }
    self.entries = entries
  }

  subscript(_ index: Int) -> Entry { entries[index] }
}

/// Reads rows from a pack, undoing its layouts.
struct PackRowReader: RowReader, ~Copyable {
  private let tensors: [PackTensor]
  private let files: Files

  /// Opens the blobs of `pack`.
  init(_ pack: Pack) throws(PackError) {
    tensors = pack.manifest.tensors
    files = try Files(pack.manifest.blobs.indices.map { pack.blobPath($0) })
  }

  func read(tensor: Int, expert: Int, rows: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) throws(PackError) {
    let tensor = tensors[tensor]
    let row = buffer.count / rows.count
    for slice in tensor.slices {
      let wanted = rows.clamped(to: slice.rowBegin..<slice.rowBegin + slice.rowCount)
      guard !wanted.isEmpty else { continue }
      let start = (wanted.lowerBound - rows.lowerBound) * row
      let part = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[start..<start + wanted.count * row])
      let base = slice.offset + expert * slice.expertStride
      let first = wanted.lowerBound - slice.rowBegin
      let file = files[slice.blob]
      if slice.layout == .gguf {
        try unsafe file.file.read(base + first * row, into: part)
      } else if let transform = GroupTransform(type: tensor.type, elements: tensor.rowElements) {
        try unsafe separate(file, base, transform, first..<first + wanted.count, into: part)
      }
    }
  }

  /// Reads the row groups that hold `rows` of a slice, and copies those rows out.
  private func separate(
    _ file: Files.Entry, _ base: Int, _ transform: GroupTransform, _ rows: Range<Int>, into buffer: UnsafeMutableRawBufferPointer
  ) throws(PackError) {
    let row = transform.rowByteCount
    var group = ByteBuffer(capacity: transform.groupByteCount)
    var plain = ByteBuffer(capacity: Layout.groupRows * row)
    for index in rows.lowerBound / Layout.groupRows...(rows.upperBound - 1) / Layout.groupRows {
      let groupRows = index * Layout.groupRows..<(index + 1) * Layout.groupRows
      let wanted = groupRows.clamped(to: rows)
      try unsafe group.withMutableBytes(transform.groupByteCount) { (bytes) throws(PackError) in
        try unsafe file.file.read(base + index * transform.groupByteCount, into: bytes)
        let start = (wanted.lowerBound - rows.lowerBound) * row
        let target = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[start..<start + wanted.count * row])
        guard wanted.count < Layout.groupRows else { return unsafe transform.separate(UnsafeRawBufferPointer(bytes), into: target) }
        unsafe plain.withMutableBytes(Layout.groupRows * row) { all in
          unsafe transform.separate(UnsafeRawBufferPointer(bytes), into: all)
          let skipped = (wanted.lowerBound - groupRows.lowerBound) * row
          unsafe target.copyMemory(from: UnsafeRawBufferPointer(rebasing: all[skipped..<skipped + target.count]))
        }
      }
    }
  }
}
