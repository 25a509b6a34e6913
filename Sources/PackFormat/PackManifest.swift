// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF

/// The content of `pack.json`: where every row of every tensor lies, and the digests of the blobs.
///
/// Sizes and offsets are in bytes. `docs/FORMAT.md` describes every field.
public struct PackManifest: Sendable, Hashable {
  /// The version of the pack's structure that this program reads and writes.
  public static let currentFormatVersion = 1
  /// The newest version of the layouts' bit order that this program writes; it reads this version and all older ones.
  public static let currentLayoutVersion = 2

  /// The most bytes that the source may have beyond its tensors without a file in the pack that holds them: they are then taken to be
  /// zeros.
  package static let impliedZeroLimit = 1 << 26

  /// How the weights are distributed over the nodes.
  public enum Placement: String, Sendable, Hashable, CaseIterable {
    /// The rows of each weight are divided over the nodes; there is one copy in all.
    case shard
    /// Every node has a copy of all weights.
    case mirror
  }

  /// One file of the source.
  public struct SourcePart: Sendable, Hashable {
    /// The file name, without folders.
    public var name: String
    /// The size of the file in bytes.
    public var byteCount: Int
    /// The bytes before its data section, including padding: its contribution to `header.gguf`.
    public var headerByteCount: Int

    /// Describes a part.
    public init(name: String, byteCount: Int, headerByteCount: Int) {
      self.name = name
      self.byteCount = byteCount
      self.headerByteCount = headerByteCount
    }
  }

  /// A file of weights.
  public struct Blob: Sendable, Hashable {
    /// The file name within the pack.
    public var file: String
    /// The size of the content in bytes. The content is what is mapped; it has the size of the file unless the file is compressed.
    public var byteCount: Int
    /// The node it belongs to; nil for the single blob of a mirror, which all nodes replicate.
    public var node: Int?
    /// The digest of the file as stored on disk; the list of digests repeats it.
    public var digest: Digest
    /// The digests of the chunks of `chunkByteCount` content bytes, in order; the last chunk may be shorter.
    public var chunks: [Digest]
    /// How the content is stored if the file is compressed; nil if the file is the content.
    public var storage: BlobStorage?

    /// Describes a blob.
    public init(file: String, byteCount: Int, node: Int?, digest: Digest, chunks: [Digest], storage: BlobStorage? = nil) {
      self.file = file
      self.byteCount = byteCount
      self.node = node
      self.digest = digest
      self.chunks = chunks
      self.storage = storage
    }
  }

  /// The version of the pack's structure.
  public var formatVersion: Int
  /// The version of the layouts' bit order.
  public var layoutVersion: Int
  /// The program that wrote the pack.
  public var writer: String
  /// How the weights are distributed.
  public var placement: Placement
  /// The number of nodes that the pack is made for.
  public var nodeCount: Int
  /// Whether a mirror has one file per node instead of one for all nodes.
  public var copies: Bool
  /// The alignment of blobs in bytes; a power of two.
  public var alignment: Int
  /// The bytes of a chunk, the part of a blob that has a digest of its own.
  public var chunkByteCount: Int
  /// The files of the source.
  public var source: [SourcePart]
  /// The bytes in `gaps.bin`: the source's padding between tensors and after the last one. 0 if all padding is zero; the file does not
  /// exist then.
  public var gapByteCount: Int
  /// The files of weights.
  public var blobs: [Blob]
  /// The tensors, in the source's order.
  public var tensors: [PackTensor]

  /// Returns the lowest layout version that has every form in which these tensors are stored.
  ///
  /// Writing the lowest version lets older programs read packs that use no new form.
  static func layoutVersion(of tensors: [PackTensor]) -> Int {
    tensors.reduce(1) { version, tensor in
      guard let form = InterleavedForm(tensor.type), tensor.slices.contains(where: { $0.layout == form.layout }) else {
        return version
      }
      return max(version, form.layoutVersion)
    }
  }

  /// A manifest of the current format version and of the lowest layout version that the tensors need.
  public init(
    writer: String, placement: Placement, nodeCount: Int, copies: Bool, alignment: Int, chunkByteCount: Int, source: [SourcePart],
    gapByteCount: Int, blobs: [Blob], tensors: [PackTensor]
  ) {
    formatVersion = Self.currentFormatVersion
    layoutVersion = Self.layoutVersion(of: tensors)
    self.writer = writer
    self.placement = placement
    self.nodeCount = nodeCount
    self.copies = copies
    self.alignment = alignment
    self.chunkByteCount = chunkByteCount
    self.source = source
    self.gapByteCount = gapByteCount
    self.blobs = blobs
    self.tensors = tensors
  }
}
