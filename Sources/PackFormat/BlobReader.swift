// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files

/// A reader of a blob's content at any offset, compressed or not. Any number of threads may read at once.
public struct BlobReader: ~Copyable, Sendable {
  /// The path of the blob's file.
  public var path: String { file.path }
  /// The size of the content in bytes.
  public let byteCount: Int
  private let file: File<PackError>
  private let map: BlobStorage.Map?
  /// Whether reading brings the file into the page cache. That would fill it with small pages, and the file could not be mapped in huge
  /// ones.
  private let bringsIntoCache: Bool

  /// Opens blob `index` of `pack`.
  public init(_ pack: Pack, blob index: Int) throws(PackError) {
    let blob = pack.manifest.blobs[index]
    let map = blob.storage.flatMap { BlobStorage.Map($0) }
    file = try File(pack.blobPath(index), links: .followed)
    byteCount = blob.byteCount
    self.map = map
    bringsIntoCache = map == nil && !file.isCached(blob.byteCount)
  }

  deinit { if bringsIntoCache { file.forgetCached() } }

  /// Whether the file is compressed, so that it does not hold the content as it is.
  public var isCompressed: Bool { map != nil }

  /// Fills `buffer` with the content from `offset`.
  ///
  /// - Parameter codec: The calling thread's own. A frame is unpacked whole even if only a part is wanted, so divide the work by `ranges`.
  /// - Precondition: `offset` and the end of the buffer lie within the content.
  public func read(
    _ offset: Int, into buffer: UnsafeMutableRawBufferPointer, _ codec: inout FrameCodec
  ) throws(PackError) {
    precondition(offset >= 0 && buffer.count <= byteCount - offset)
    guard let map else { return try unsafe file.read(offset, into: buffer) }
    let range = offset..<offset + buffer.count
    guard !range.isEmpty else { return }
    var index = map.entry(at: offset)
    while index < map.entries.count, map.entries[index].content.lowerBound < range.upperBound {
      let entry = map.entries[index]
      let wanted = entry.content.clamped(to: range)
      let part = unsafe buffer[bytes: wanted.relative(to: offset)]
      switch entry.encoding {
      case .zero: unsafe part.clear()
      case .raw:
        try unsafe file.read(entry.stored.lowerBound + wanted.lowerBound - entry.content.lowerBound, into: part)
      case .zstd, .zstd2, .zstd4, .zstd8:
        try unsafe unpack(entry, map.frameByteCount, wanted, into: part, &codec)
      }
      index += 1
    }
  }

  /// Returns the bytes of the file that hold the content in `range`; for compressed content, every frame that overlaps it.
  func storedRange(of range: Range<Int>) -> Range<Int> {
    guard let map, !range.isEmpty else { return range }
    func place(_ offset: Int, isEnd: Bool) -> Int {
      let entry = map.entries[map.entry(at: isEnd ? offset - 1 : offset)]
      let within = offset - entry.content.lowerBound
      return switch entry.encoding {
      case .zero: entry.stored.lowerBound
      case .raw: entry.stored.lowerBound + within
      case .zstd, .zstd2, .zstd4, .zstd8:
        entry.frames[isEnd ? (within - 1) / map.frameByteCount + 1 : within / map.frameByteCount]
      }
    }
    return place(range.lowerBound, isEnd: false)..<place(range.upperBound, isEnd: true)
  }

  private func unpack(
    _ entry: BlobStorage.Map.Entry, _ size: Int, _ wanted: Range<Int>, into buffer: UnsafeMutableRawBufferPointer,
    _ codec: inout FrameCodec
  ) throws(PackError) {
    let start = entry.content.lowerBound
    for index in (wanted.lowerBound - start) / size...(wanted.upperBound - 1 - start) / size {
      let frame = start + index * size..<min(entry.content.upperBound, start + (index + 1) * size)
      let part = frame.clamped(to: wanted)
      let target = unsafe buffer[bytes: part.relative(to: wanted.lowerBound)]
      let whole = unsafe part == frame ? target : codec.frameBuffer(frame.count)
      let stored = entry.frames[index]..<entry.frames[index + 1]
      let isGood = try unsafe codec.unpack(storedByteCount: stored.count, planeCount: entry.encoding.planeCount, into: whole) {
        (bytes) throws(PackError) in try unsafe file.read(stored.lowerBound, into: bytes)
      }
      guard isGood else {
        throw .invalid(
          file: path,
          problem:
            "at byte \(stored.lowerBound): damaged: not a zstd frame of \(frame.count) bytes; \(PackError.damageAdvice)")
      }
      if part != frame {
        unsafe target.copyMemory(from: UnsafeRawBufferPointer(whole[bytes: part.relative(to: frame.lowerBound)]))
      }
    }
  }

  /// Divides the content into ranges of about `size` bytes at frame boundaries, so that no frame is unpacked twice.
  public func ranges(ofAbout size: Int) -> [Range<Int>] {
    guard let map else {
      return stride(from: 0, to: byteCount, by: max(size, 1)).map { $0..<min(byteCount, $0 + max(size, 1)) }
    }
    var ranges: [Range<Int>] = []
    var start = 0
    for entry in map.entries {
      let step = entry.encoding.planeCount == 0 ? max(size, 1) : map.frameByteCount
      var border = entry.content.lowerBound
      while border < entry.content.upperBound {
        border = min(entry.content.upperBound, border + step)
        if border - start >= size {
          ranges.append(start..<border)
          start = border
        }
      }
    }
    if start < byteCount { ranges.append(start..<byteCount) }
    return ranges
  }
}
