// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files

/// How a compressed blob's content is stored in its file: as segments, in the same order in the content and in the file.
public struct BlobStorage: Sendable, Hashable {
  /// The content bytes in a frame; the last frame of a segment may hold fewer.
  public var frameByteCount: Int
  /// The segments, in order.
  public var segments: [Segment]

  /// Describes a blob's storage.
  public init(frameByteCount: Int, segments: [Segment]) {
    self.frameByteCount = frameByteCount
    self.segments = segments
  }

  /// The frame sizes that readers accept, in bytes; each thread holds a frame in memory.
  public static let frameByteCounts = 4096...(1 << 26)

  /// A run of content that is stored in one way: a slice of a tensor, or what lies between such slices.
  public struct Segment: Sendable, Hashable {
    /// The content bytes.
    public var byteCount: Int
    /// How the content is encoded.
    public var encoding: Encoding
    /// The size of each frame in the file, in bytes; empty for encodings without frames.
    public var frames: [Int]

    /// Describes a segment.
    public init(byteCount: Int, encoding: Encoding, frames: [Int]) {
      self.byteCount = byteCount
      self.encoding = encoding
      self.frames = frames
    }

    /// The bytes in the file; nil on overflow.
    public var storedByteCount: Int? {
      switch encoding {
      case .zero: 0
      case .raw: byteCount
      case .zstd, .zstd2, .zstd4, .zstd8: frames.reduce(0) { sum, frame in sum?.adding(frame) }
      }
    }
  }

  /// How a segment's content is encoded.
  public enum Encoding: String, Sendable, Hashable, CaseIterable {
    /// Not at all: the file holds the content.
    case raw
    /// The content is all zeros, and the file holds none of it.
    case zero
    /// Each frame of content becomes a zstd frame.
    case zstd
    /// The bytes of each frame are split into two planes, those at even offsets and those at odd ones, and then become a zstd frame.
    case zstd2
    /// The same with four planes.
    case zstd4
    /// The same with eight planes.
    case zstd8

    /// The number of planes that a frame's bytes are split into: 1 if they stay in order, 0 for encodings without frames.
    public var planeCount: Int {
      switch self {
      case .raw, .zero: 0
      case .zstd: 1
      case .zstd2: 2
      case .zstd4: 4
      case .zstd8: 8
      }
    }
  }
}

extension BlobStorage {
  /// The places of all segments and frames, computed once; nil if sizes overflow or are inconsistent.
  struct Map: Sendable {
    /// A segment and its places in the content and in the file.
    struct Entry: Sendable {
      let content: Range<Int>
      let stored: Range<Int>
      let encoding: Encoding
      /// The offset of each frame in the file, followed by the end of the last one.
      let frames: [Int]
    }

    let entries: [Entry]
    let frameByteCount: Int
    /// The size of the content in bytes.
    let byteCount: Int
    /// The size of the file in bytes.
    let storedByteCount: Int

    init?(_ storage: BlobStorage) {
      guard BlobStorage.frameByteCounts.contains(storage.frameByteCount), storage.frameByteCount.isPowerOfTwo else { return nil }
      var entries: [Entry] = []
      var content = 0
      var stored = 0
      for segment in storage.segments {
        guard let entry = Self.entry(segment, content, stored, storage.frameByteCount) else { return nil }
        entries.append(entry)
        content = entry.content.upperBound
        stored = entry.stored.upperBound
      }
      self.entries = entries
      frameByteCount = storage.frameByteCount
      byteCount = content
      storedByteCount = stored
    }

    /// Returns the index of the entry that holds the content at `offset`.
    func entry(at offset: Int) -> Int { entries.partitioningIndex { $0.content.upperBound > offset } }

    private static func entry(_ segment: Segment, _ content: Int, _ stored: Int, _ frameByteCount: Int) -> Entry? {
      guard segment.byteCount > 0, segment.frames.allSatisfy({ $0 > 0 && $0 <= 2 * BlobStorage.frameByteCounts.upperBound }),
        let contentEnd = content.adding(segment.byteCount), let storedEnd = segment.storedByteCount?.adding(stored)
      else { return nil }
      let count = segment.encoding.planeCount == 0 ? 0 : segment.byteCount.pieceCount(of: frameByteCount)
      guard segment.frames.count == count else { return nil }
      let frames = segment.frames.reduce(into: [stored]) { $0.append(($0.last ?? stored) + $1) }
      return Entry(content: content..<contentEnd, stored: stored..<storedEnd, encoding: segment.encoding, frames: frames)
    }
  }
}

extension PackManifest.Blob {
  /// The size of the file in bytes: that of the content, unless it is compressed.
  public var storedByteCount: Int { storage.flatMap { BlobStorage.Map($0)?.storedByteCount } ?? byteCount }
}
