// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF
import PackFormat

/// A manifest before any weight is written, derived from a plan or from a pack that is being stored in another way.
struct ManifestDraft: Sendable {
  /// A file of weights to write.
  struct Blob: Sendable {
    let file: String
    let node: Int?
    let byteCount: Int
    /// The index by which the tensors' slices refer to this content.
    let content: Int
  }

  let placement: PackManifest.Placement
  let nodeCount: Int
  let copies: Bool
  let alignment: Int
  let chunkByteCount: Int
  let tensors: [PackTensor]
  let blobs: [Blob]

  /// The draft of a pack made by `plan`.
  init(_ plan: PackPlan, chunkByteCount: Int) {
    let options = plan.options
    placement = options.placement
    nodeCount = options.nodeCount
    copies = options.copies
    alignment = options.alignment
    self.chunkByteCount = chunkByteCount
    tensors = plan.tensors
    if options.placement == .mirror && !options.copies {
      blobs = [Blob(file: "all.blob", node: nil, byteCount: plan.blobByteCounts[0], content: 0)]
    } else {
      blobs = (0..<options.nodeCount).map {
        let content = options.placement == .mirror ? 0 : $0
        return Blob(file: "node\($0).blob", node: $0, byteCount: plan.blobByteCounts[content], content: content)
      }
    }
  }

  /// The draft of a pack with the content of `manifest`.
  init(_ manifest: PackManifest) {
    placement = manifest.placement
    nodeCount = manifest.nodeCount
    copies = manifest.copies
    alignment = manifest.alignment
    chunkByteCount = manifest.chunkByteCount
    tensors = manifest.tensors
    blobs = manifest.blobs.indices.map {
      let blob = manifest.blobs[$0]
      return Blob(file: blob.file, node: blob.node, byteCount: blob.byteCount, content: manifest.placement == .mirror ? 0 : $0)
    }
  }

  /// The content of all blobs in bytes.
  var byteCount: Int { blobs.reduce(0) { $0 + $1.byteCount } }

  /// Returns the final manifest, which describes the blobs as they were written.
  func manifest(
    writer: String, source: [PackManifest.SourcePart], gapByteCount: Int, blobs written: [WrittenBlob]
  ) -> PackManifest {
    PackManifest(
      writer: writer, placement: placement, nodeCount: nodeCount, copies: copies, alignment: alignment,
      chunkByteCount: chunkByteCount, source: source, gapByteCount: gapByteCount,
      blobs: zip(blobs, written).map {
        .init(file: $0.file, byteCount: $0.byteCount, node: $0.node, digest: $1.digest, chunks: $1.chunks, storage: $1.storage)
      }, tensors: tensors)
  }

  /// Divides the content of blob `content` into ranges that can be compressed separately: slices, and the zeros between them.
  func sections(of content: Int) -> [BlobSection] {
    var sections: [BlobSection] = []
    var end = 0
    let slices = tensors.flatMap { tensor in
      tensor.slices.filter { $0.blob == content }.compactMap { slice in
        slice.extent(expertCount: tensor.expertCount).map { (range: $0, planes: Self.planeCount(tensor.type)) }
      }
    }.sorted { $0.range.lowerBound < $1.range.lowerBound }
    for slice in slices where !slice.range.isEmpty {
      if slice.range.lowerBound > end { sections.append(.init(range: end..<slice.range.lowerBound, planeCount: 0)) }
      sections.append(.init(range: slice.range, planeCount: slice.planes))
      end = slice.range.upperBound
    }
    let size = blobs.first { $0.content == content }?.byteCount ?? end
    if size > end { sections.append(.init(range: end..<size, planeCount: 0)) }
    return sections
  }

  /// Returns the bytes of one value for types that store plain values, whose exponents compress when separated from the mantissas;
  /// otherwise 1.
  private static func planeCount(_ type: WeightType) -> Int {
    type.isScalar ? type.blockByteCount : 1
  }
}
