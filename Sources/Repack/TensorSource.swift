// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF
import PackFormat

/// Where tensors' bytes come from, as they are in the GGUF: a GGUF, or a pack whose layouts are undone.
protocol TensorSource: Sendable, ~Copyable {
  /// Fills `buffer` with the data of tensor `tensor` from byte `offset` of it.
  ///
  /// - Parameter scratch: The calling thread's own.
  /// - Precondition: The range lies within the tensor's data.
  func read(
    tensor: Int, from offset: Int, into buffer: UnsafeMutableRawBufferPointer, _ scratch: inout Scratch
  ) throws(PackError)
}

/// Memory that a thread keeps while it converts one range after another.
struct Scratch: ~Copyable {
  /// Rows on their way into a blob.
  var rows = ByteBuffer(capacity: 0)
  /// A row group of which a part is wanted.
  var group = ByteBuffer(capacity: 0)
  /// Row groups read from a pack.
  var groups = ByteBuffer(capacity: 0)
  /// The rows of a group of which a part is wanted.
  var plain = ByteBuffer(capacity: 0)
  var codec: FrameCodec

  /// Bytes of rows that are read and rearranged at a time: they stay in the second-level cache meanwhile.
  static let batchByteCount = 1 << 18

  /// Threads that convert `tensors` at a time: as many as the memory for their row groups allows, and as keep a disk busy.
  static func threads(for tensors: [PackTensor]) -> Int {
    let widest = tensors.reduce(0) { widest, tensor in
      guard tensor.slices.contains(where: { $0.layout != .gguf }) else { return widest }
      return max(widest, GroupTransform(type: tensor.type, elements: tensor.rowElements)?.groupByteCount ?? 0)
    }
    // Of a pack that is repacked, a thread keeps a chunk, and up to seven row groups in the buffers above.
    let (groups, overflow) = widest.multipliedReportingOverflow(by: 7)
    let each = overflow ? memoryLimit : PackConverter.chunkByteCount + min(groups, memoryLimit)
    return max(1, min(OrderedWork.availableThreads, mostThreads, memoryLimit / each))
  }

  /// What all threads may take: 512 MiB, less what the process takes without them.
  private static let memoryLimit = 448 << 20
  /// More threads than this keep no disk busier.
  private static let mostThreads = 16

  /// Empty scratch memory.
  init() throws(PackError) {
    guard let codec = FrameCodec() else {
      throw .system(file: "libzstd", operation: "start it", reason: "there is no memory")
    }
    self.codec = codec
  }
}

/// A model's GGUF files.
struct GGUFSource: TensorSource, ~Copyable {
  private let tensors: [GGUFModel.Tensor]
  private let dataOffsets: [Int]
  private let files: [SharedFile]

  /// Opens the files of `model`.
  init(_ model: GGUFModel) throws(PackError) {
    tensors = model.tensors
    dataOffsets = model.parts.map(\.header.dataOffset)
    var files: [SharedFile] = []
    for part in model.parts { files.append(SharedFile(try PositionedFile(part.path, followsLinks: true))) }
    self.files = files
  }

  func read(
    tensor: Int, from offset: Int, into buffer: UnsafeMutableRawBufferPointer, _ scratch: inout Scratch
  ) throws(PackError) {
    let place = tensors[tensor]
    try unsafe files[place.part].file.read(dataOffsets[place.part] + place.info.offset + offset, into: buffer)
  }

  /// A class, because an array holds no noncopyable values.
  private final class SharedFile: Sendable {
    let file: PositionedFile
    init(_ file: consuming PositionedFile) { self.file = file }
  }
}

/// A pack whose layouts are undone.
struct PackTensorSource: TensorSource, ~Copyable {
  private let tensors: [PackTensor]
  private let transforms: [GroupTransform?]
  private let blobs: [SharedBlob]

  /// Opens the blobs of `pack`.
  init(_ pack: Pack) throws(PackError) {
    tensors = pack.manifest.tensors
    transforms = tensors.map { GroupTransform(type: $0.type, elements: $0.rowElements) }
    var blobs: [SharedBlob] = []
    for index in pack.manifest.blobs.indices { blobs.append(SharedBlob(try BlobReader(pack, blob: index))) }
    self.blobs = blobs
  }

  func read(
    tensor index: Int, from offset: Int, into buffer: UnsafeMutableRawBufferPointer, _ scratch: inout Scratch
  ) throws(PackError) {
    let tensor = tensors[index]
    // Validated packs have no empty rows, and their sizes do not overflow.
    let rowBytes = tensor.type.byteCount(elements: tensor.rowElements) ?? 0
    let expertBytes = tensor.rowCount * rowBytes
    let wanted = offset..<offset + buffer.count
    guard !wanted.isEmpty else { return }
    for expert in wanted.lowerBound / expertBytes...(wanted.upperBound - 1) / expertBytes {
      for slice in tensor.slices {
        let start = expert * expertBytes + slice.rowBegin * rowBytes
        let part = (start..<start + slice.rowCount * rowBytes).clamped(to: wanted)
        guard !part.isEmpty else { continue }
        let target = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[part.lowerBound - offset..<part.upperBound - offset])
        let place = slice.offset + expert * slice.expertStride
        let inside = part.lowerBound - start..<part.upperBound - start
        if let transform = transforms[index], slice.layout != .gguf {
          try unsafe separate(blobs[slice.blob], place, transform, inside, into: target, &scratch)
        } else {
          try unsafe blobs[slice.blob].reader.read(place + inside.lowerBound, into: target, &scratch.codec)
        }
      }
    }
  }

  /// Reads the row groups at `place` that hold bytes `wanted` of their rows, and puts these bytes into `buffer`.
  private func separate(
    _ blob: SharedBlob, _ place: Int, _ transform: GroupTransform, _ wanted: Range<Int>,
    into buffer: UnsafeMutableRawBufferPointer, _ scratch: inout Scratch
  ) throws(PackError) {
    let plainBytes = transform.plainByteCount
    let size = transform.groupByteCount
    let groups = wanted.lowerBound / plainBytes..<(wanted.upperBound - 1) / plainBytes + 1
    // Compressed content is unpacked in frames; smaller reads would unpack the same frame again and again.
    let batchBytes = blob.reader.isCompressed ? groups.count * size : Scratch.batchByteCount
    let batch = max(1, batchBytes / size)
    for first in stride(from: groups.lowerBound, to: groups.upperBound, by: batch) {
      let last = min(groups.upperBound, first + batch)
      let bytes = unsafe scratch.groups.bytes((last - first) * size)
      try unsafe blob.reader.read(place + first * size, into: bytes, &scratch.codec)
      for group in first..<last {
        let source = unsafe UnsafeRawBufferPointer(rebasing: bytes[(group - first) * size..<(group - first + 1) * size])
        let rows = group * plainBytes..<(group + 1) * plainBytes
        let part = rows.clamped(to: wanted)
        let target = unsafe UnsafeMutableRawBufferPointer(
          rebasing: buffer[part.lowerBound - wanted.lowerBound..<part.upperBound - wanted.lowerBound])
        if part == rows {
          unsafe transform.separate(source, into: target)
        } else {
          let plain = unsafe scratch.plain.bytes(plainBytes)
          unsafe transform.separate(source, into: plain)
          unsafe target.copyMemory(
            from: UnsafeRawBufferPointer(rebasing: plain[part.lowerBound - rows.lowerBound..<part.upperBound - rows.lowerBound]))
        }
      }
    }
  }

  /// A class, because an array holds no noncopyable values.
  private final class SharedBlob: Sendable {
    let reader: BlobReader
    init(_ reader: consuming BlobReader) { self.reader = reader }
  }
}
