// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files

/// How a compressed blob's content lies in its file: as segments, one after another, in the content and in the file alike.
public struct BlobStorage: Sendable, Hashable {
  /// Bytes of content in a frame; the last frame of a segment may hold fewer.
  public var frameByteCount: Int
  /// The segments, in order.
  public var segments: [Segment]

  /// Describes a blob's storage.
  public init(frameByteCount: Int, segments: [Segment]) {
    self.frameByteCount = frameByteCount
    self.segments = segments
  }

  /// Sizes of frames that readers accept: what they hold in memory for each thread.
  public static let frameByteCounts = 4096...(1 << 26)

  /// A run of content that is stored in one way: a slice of a tensor, or what lies between such slices.
  public struct Segment: Sendable, Hashable {
    /// Bytes of content.
    public var byteCount: Int
    /// What was done to it.
    public var encoding: Encoding
    /// Bytes in the file of each frame; empty where there are no frames.
    public var frames: [Int]

    /// Describes a segment.
    public init(byteCount: Int, encoding: Encoding, frames: [Int]) {
      self.byteCount = byteCount
      self.encoding = encoding
      self.frames = frames
    }

    /// Bytes in the file; nil on overflow.
    public var storedByteCount: Int? {
      switch encoding {
      case .zero: 0
      case .raw: byteCount
      case .zstd, .zstd2, .zstd4, .zstd8: frames.reduce(0) { sum, frame in sum?.adding(frame) }
      }
    }
  }

  /// What was done to a segment's content.
  public enum Encoding: String, Sendable, Hashable, CaseIterable {
    /// Nothing: the file holds the content.
    case raw
    /// The content is zeros, and the file holds none of it.
    case zero
    /// Each frame is a zstd frame.
    case zstd
    /// Each frame's bytes are put into two planes, those at even offsets and those at odd ones, then it is a zstd frame.
    case zstd2
    /// The same with four planes.
    case zstd4
    /// The same with eight planes.
    case zstd8

    /// Planes that a frame's bytes are put into: 1 if they stay in order; 0 without frames.
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
  /// Where everything lies, computed once; nil if sizes overflow or do not fit together.
  struct Map: Sendable {
    /// A segment with its places.
    struct Entry: Sendable {
      let content: Range<Int>
      let stored: Range<Int>
      let encoding: Encoding
      /// Where each frame begins in the file, and then where the last one ends.
      let frames: [Int]
    }

    let entries: [Entry]
    let frameByteCount: Int
    /// Bytes of content.
    let byteCount: Int
    /// Bytes of the file.
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

    /// The index of the entry that holds the content at `offset`.
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
  /// Bytes of the file: of the content, unless it is compressed.
  public var storedByteCount: Int { storage.flatMap { BlobStorage.Map($0)?.storedByteCount } ?? byteCount }
}
