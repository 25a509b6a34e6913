// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import GGUF
import PackFormat

/// The source that a pack is made from.
protocol PackSource: Sendable {
  /// The bytes of `header.gguf`.
  var header: Excerpt { get }
  /// The bytes of `gaps.bin`, which is written unless they are all zero.
  var gaps: Excerpt { get }
  /// The files of the GGUF that the pack is made from, directly or through another pack.
  var parts: [PackManifest.SourcePart] { get }
  /// Text that distinguishes this source from another one with the same headers.
  var identity: String { get }
  /// Returns the content of blob `index` of `draft`.
  func content(of index: Int, _ draft: ManifestDraft) throws(PackError) -> any BlobContent
  /// Throws if a file was changed since the source was opened.
  func checkUnchanged() throws(PackError)
}

/// A model in GGUF files.
struct ModelSource: PackSource {
  let model: GGUFModel

  var header: Excerpt {
    Excerpt(pieces: model.parts.map { .init(path: $0.path, range: 0..<$0.headerByteCount) })
  }

  var gaps: Excerpt { SourceGaps.excerpt(of: model) }

  var parts: [PackManifest.SourcePart] {
    model.parts.map {
      .init(
        name: String($0.path.split(separator: "/").last ?? ""), byteCount: $0.byteCount, headerByteCount: $0.headerByteCount)
    }
  }

  var identity: String { model.parts.map { "\($0.path) \($0.identity)" }.joined(separator: " ") }

  func content(of index: Int, _ draft: ManifestDraft) throws(PackError) -> any BlobContent {
    RowContent(try GGUFTensors(model), tensors: draft.tensors, blob: draft.blobs[index].content)
  }

  func checkUnchanged() throws(PackError) {
    for part in model.parts { try part.identity.check(part.path) }
  }
}

extension GGUFPart {
  /// The bytes before the data section. A file without tensors may end before the data section begins.
  fileprivate var headerByteCount: Int { min(header.dataOffset, byteCount) }
}

/// An existing pack, whose headers and gaps are kept.
protocol ExistingPack: PackSource {
  var pack: Pack { get }
}

extension ExistingPack {
  var header: Excerpt { excerpt(Pack.FileName.header, byteCount: parts.reduce(0) { $0 + $1.headerByteCount }) }
  var gaps: Excerpt { excerpt(Pack.FileName.gaps, byteCount: pack.manifest.gapByteCount) }
  var parts: [PackManifest.SourcePart] { pack.manifest.source }
  // The manifest contains the digests of all weights, so its digest identifies them.
  var identity: String { pack.checksums.digests[Pack.FileName.manifest]?.hex ?? "" }

  func checkUnchanged() throws(PackError) { try pack.checkUnchanged() }

  private func excerpt(_ name: String, byteCount: Int) -> Excerpt {
    Excerpt(pieces: byteCount == 0 ? [] : [.init(path: pack.path.entry(name), range: 0..<byteCount)])
  }
}

/// A pack whose rows are laid out again.
struct PackRows: ExistingPack {
  let pack: Pack

  func content(of index: Int, _ draft: ManifestDraft) throws(PackError) -> any BlobContent {
    RowContent(try PackTensors(pack), tensors: draft.tensors, blob: draft.blobs[index].content)
  }
}

/// A pack whose blobs keep their content.
struct PackBlobs: ExistingPack {
  let pack: Pack

  func content(of index: Int, _ draft: ManifestDraft) throws(PackError) -> any BlobContent {
    try ExistingContent(pack, blob: index)
  }
}
