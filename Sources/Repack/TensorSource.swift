// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import GGUF
import PackFormat

/// A source of tensor data as in the GGUF: GGUF files, or a pack whose layouts are undone.
protocol TensorSource: AnyObject, Sendable {
  /// Fills `buffer` with the data of tensor `tensor`, starting at its byte `offset`.
  ///
  /// - Parameter scratch: The calling thread's own.
  /// - Precondition: The range lies within the tensor's data.
  func read(
    tensor: Int, from offset: Int, into buffer: UnsafeMutableRawBufferPointer, _ scratch: inout Scratch
  ) throws(PackError)
}

/// A model's GGUF files.
final class GGUFTensors: TensorSource {
  private let tensors: [GGUFModel.Tensor]
  private let dataOffsets: [Int]
  private let files: [Shared<File<PackError>>]

  /// Opens the files of `model`.
  init(_ model: GGUFModel) throws(PackError) {
    tensors = model.tensors
    dataOffsets = model.parts.map(\.header.dataOffset)
    var files: [Shared<File<PackError>>] = []
    for part in model.parts { files.append(Shared(try File(part.path, links: .followed))) }
    self.files = files
  }

  func read(
    tensor: Int, from offset: Int, into buffer: UnsafeMutableRawBufferPointer, _ scratch: inout Scratch
  ) throws(PackError) {
    let place = tensors[tensor]
    try unsafe files[place.part].value.read(dataOffsets[place.part] + place.info.offset + offset, into: buffer)
  }
}

/// A pack, whose layouts are undone.
final class PackTensors: TensorSource {
  private let tensors: [PackTensor]
  private let transforms: [GroupTransform?]
  private let blobs: [Shared<BlobReader>]

  /// Opens the blobs of `pack`.
  init(_ pack: Pack) throws(PackError) {
    tensors = pack.manifest.tensors
    transforms = tensors.map { GroupTransform(type: $0.type, elements: $0.rowElements) }
    var blobs: [Shared<BlobReader>] = []
    for index in pack.manifest.blobs.indices { blobs.append(Shared(try BlobReader(pack, blob: index))) }
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
        let target = unsafe buffer[bytes: part.relative(to: offset)]
        let place = slice.offset + expert * slice.expertStride
        let inside = part.relative(to: start)
        if let transform = transforms[index], slice.layout != .gguf {
          try unsafe separate(blobs[slice.blob], place, transform, inside, into: target, &scratch)
        } else {
          try unsafe blobs[slice.blob].value.read(place + inside.lowerBound, into: target, &scratch.codec)
        }
      }
    }
  }

  /// Reads the row groups at `place` that hold bytes `wanted` of their rows, and copies these bytes into `buffer`.
  private func separate(
    _ blob: Shared<BlobReader>, _ place: Int, _ transform: GroupTransform, _ wanted: Range<Int>,
    into buffer: UnsafeMutableRawBufferPointer, _ scratch: inout Scratch
  ) throws(PackError) {
    // Compressed content is unpacked frame by frame, so small reads would unpack the same frame repeatedly.
    let groups = blob.value.isCompressed ? Int.max : Scratch.batchByteCount / transform.groupByteCount
    let memory = unsafe scratch.undoing.memory(for: wanted, transform.undoing, groups: groups)
    try unsafe memory.forEachGroup(of: transform.undoing, in: wanted, into: buffer) { (offset, bytes) throws(PackError) in
      try unsafe blob.value.read(place + offset, into: bytes, &scratch.codec)
    } convert: { group, rows in
      unsafe transform.separate(group, into: rows)
    }
  }
}
