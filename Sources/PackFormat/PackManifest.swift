// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF

/// What `pack.json` says: where every row of every tensor lies, and what digests the blobs have.
///
/// Byte counts and offsets are in bytes. `docs/FORMAT.md` describes every field.
public struct PackManifest: Sendable, Hashable {
  /// The version of the pack's structure that this program writes and reads.
  public static let currentFormatVersion = 1
  /// The newest version of the layouts' bit order that this program writes and reads; it reads all older ones, too.
  public static let currentLayoutVersion = 2

  /// Bytes of the source, beyond the size of its tensors, that may be zeros which no file of the pack holds.
  package static let impliedZeroLimit = 1 << 26

  /// How weights are divided over nodes.
  public enum Placement: String, Sendable, Hashable, CaseIterable {
    /// Each weight's rows are divided over the nodes; one copy in all.
    case shard
    /// Every node has a replica of everything.
    case mirror
  }

  /// One file of the source.
  public struct SourcePart: Sendable, Hashable {
    /// Its file name, without folders.
    public var name: String
    /// Its size.
    public var byteCount: Int
    /// Bytes in front of its data section, padding included: what it contributes to `header.gguf`.
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
    /// Its file name within the pack.
    public var file: String
    /// Bytes of its content, which is what is mapped; the file's size unless it is compressed.
    public var byteCount: Int
    /// The node it is for; nil for the one blob of a mirror that all nodes replicate.
    public var node: Int?
    /// The digest of the file as it lies on the disk, which the list of digests repeats.
    public var digest: Digest
    /// The digest of every chunk of `chunkByteCount` bytes of content, in order; the last chunk may be shorter.
    public var chunks: [Digest]
    /// How the content lies in the file, if it is compressed; nil if the file is the content.
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

  /// Version of the pack's structure.
  public var formatVersion: Int
  /// Version of the layouts' bit order.
  public var layoutVersion: Int
  /// The program that wrote the pack.
  public var writer: String
  /// How weights are divided.
  public var placement: Placement
  /// How many nodes the pack is for.
  public var nodeCount: Int
  /// Whether a mirror has a file for each node instead of one for all.
  public var copies: Bool
  /// What blobs are aligned to; a power of two.
  public var alignment: Int
  /// Bytes of the blobs that share a digest.
  public var chunkByteCount: Int
  /// The source's files.
  public var source: [SourcePart]
  /// Bytes in `gaps.bin`: the source's padding between tensors and after the last one. 0 if these are all zero, and no such file.
  public var gapByteCount: Int
  /// The files of weights.
  public var blobs: [Blob]
  /// The tensors, in the source's order.
  public var tensors: [PackTensor]

  /// The lowest version of the layouts that has all forms in which these tensors are stored, so that a pack without new ones can be read
  /// by older programs.
  static func layoutVersion(of tensors: [PackTensor]) -> Int {
    tensors.reduce(1) { version, tensor in
      guard let form = InterleavedForm(tensor.type), tensor.slices.contains(where: { $0.layout == form.layout }) else {
        return version
      }
      return max(version, form.layoutVersion)
    }
  }

  /// A manifest of the current format version, and of the lowest version of the layouts that the tensors need.
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
