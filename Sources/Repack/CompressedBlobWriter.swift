// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import PackFormat

/// Writes a blob as zstd frames. A slice of a tensor is compressed only if that saves at least 3 % of it.
struct CompressedBlobWriter {
  let chunkByteCount: Int
  let threads: Int
  /// The compression level of libzstd.
  let level: Int
  /// The sections that an interrupted run has written; if it is empty, the file is written from its start.
  let written: [Int: Journal.WrittenSection]

  /// The content bytes in a frame: large enough to compress well, small enough that dozens can be unpacked at once.
  static let frameByteCount = 1 << 20
  /// The saving in percent below which a section is stored as it is.
  static let leastSaving = 3

  /// Writes `file` and waits until it is on the disk.
  ///
  /// - Parameters:
  ///   - note: Called for each stored section with what a later run needs to resume after it; nil if that is not wanted.
  ///   - finished: Called with the content bytes done since the last call.
  func write(
    _ content: some BlobContent, sections: [BlobSection], to file: borrowing File<PackError>,
    note: ((Int, Journal.WrittenSection) throws(PackError) -> Void)?, finished: (Int) throws(PackError) -> Void
  ) throws(PackError) -> WrittenBlob {
    // The final size is not known yet. The free space has been checked against the size of the uncompressed content.
    if written.isEmpty { try file.resize(to: 0) }
    var digests = ChunkDigests(chunkByteCount: chunkByteCount)
    var segments: [BlobStorage.Segment] = []
    var end = 0
    for (index, section) in sections.enumerated() {
      let start = end
      if let segment = try earlier(index, section, in: file, at: start) {
        // The content must still be hashed, because chunks extend across sections.
        _ = try pass(section, of: content, packing: false, to: file, at: start, &digests, finished)
        end += segment.storedByteCount ?? 0
        segments.append(segment)
        continue
      }
      let segment = try write(section, of: content, to: file, at: start, &digests, finished)
      end += segment.storedByteCount ?? 0
      segments.append(segment)
      if let note, end > start {
        try note(index, .init(encoding: segment.encoding, frames: segment.frames, digest: try file.digest(start..<end)))
      }
    }
    // A slice that did not shrink enough was overwritten; cut off what its frames left beyond the end.
    try file.resize(to: end)
    try file.synchronize()
    return WrittenBlob(
      chunks: digests.finish(), digest: try file.digest(0..<end),
      storage: BlobStorage(frameByteCount: Self.frameByteCount, segments: segments))
  }

  /// Returns what an earlier run has stored of a section, if it is still there and intact.
  private func earlier(
    _ index: Int, _ section: BlobSection, in file: borrowing File<PackError>, at start: Int
  ) throws(PackError) -> BlobStorage.Segment? {
    guard let found = written[index] else { return nil }
    let frameCount = found.encoding == .raw ? 0 : Self.frames(of: section).count
    let segment = BlobStorage.Segment(byteCount: section.range.count, encoding: found.encoding, frames: found.frames)
    guard found.encoding == .raw || found.encoding == Self.encoding(of: section), found.encoding != .zero,
      found.frames.count == frameCount, found.frames.allSatisfy({ $0 > 0 }),
      let size = segment.storedByteCount, size <= 2 * section.range.count + Self.frameByteCount
    else { return nil }
    // The event that ended the earlier run may also have cut off data that the journal lists.
    guard try file.byteCount() >= start + size else { return nil }
    return try file.digest(start..<start + size) == found.digest ? segment : nil
  }

  private static func encoding(of section: BlobSection) -> BlobStorage.Encoding {
    switch section.planeCount {
    case 0: .zero
    case 2: .zstd2
    case 4: .zstd4
    case 8: .zstd8
    default: .zstd
    }
  }

  private func write(
    _ section: BlobSection, of content: some BlobContent, to file: borrowing File<PackError>, at start: Int,
    _ digests: inout ChunkDigests, _ finished: (Int) throws(PackError) -> Void
  ) throws(PackError) -> BlobStorage.Segment {
    let size = section.range.count
    let encoding = Self.encoding(of: section)
    var tries = encoding != .zero
    if tries { tries = try promises(section, of: content) }
    let frames = try pass(section, of: content, packing: tries, to: file, at: start, &digests, finished)
    if encoding == .zero { return .init(byteCount: size, encoding: .zero, frames: []) }
    if tries, frames.reduce(0, +) * 100 <= size * (100 - Self.leastSaving) {
      return .init(byteCount: size, encoding: encoding, frames: frames)
    }
    try copy(section, of: content, to: file, at: start, finished)
    return .init(byteCount: size, encoding: .raw, frames: [])
  }

  private static func frames(of section: BlobSection) -> [Range<Int>] {
    stride(from: section.range.lowerBound, to: section.range.upperBound, by: frameByteCount).map {
      $0..<min(section.range.upperBound, $0 + frameByteCount)
    }
  }

  /// Returns whether the first, the middle and the last frame shrink at all, which avoids packing a section that does not compress.
  private func promises(_ section: BlobSection, of content: some BlobContent) throws(PackError) -> Bool {
    let frames = Self.frames(of: section)
    guard frames.count > 3 else { return true }
    var worker = try BlobWorker()
    var (plain, stored) = (0, 0)
    for frame in [frames[0], frames[frames.count / 2], frames[frames.count - 1]] {
      stored += try pack(frame, of: content, section.planeCount, &worker)
      plain += frame.count
    }
    return stored * 100 <= plain * 99
  }

  /// Packs one frame into the worker's memory, and returns its size in bytes.
  private func pack(
    _ frame: Range<Int>, of content: some BlobContent, _ planeCount: Int, _ worker: inout BlobWorker
  ) throws(PackError) -> Int {
    let bytes = unsafe worker.content.bytes(frame.count)
    try unsafe content.fill(frame, into: bytes, &worker.scratch)
    guard
      let count = unsafe worker.scratch.codec.pack(
        UnsafeRawBufferPointer(bytes), planeCount: planeCount, level: level, into: &worker.stored)
    else { throw .noMemory(purpose: "compressing with libzstd") }
    worker.storedByteCount = count
    return count
  }

  /// Hashes the section's content and, if `packs` is true, writes its frames. Returns their sizes.
  private func pass(
    _ section: BlobSection, of content: some BlobContent, packing packs: Bool,
    to file: borrowing File<PackError>, at start: Int,
    _ digests: inout ChunkDigests, _ finished: (Int) throws(PackError) -> Void
  ) throws(PackError) -> [Int] {
    let frames = Self.frames(of: section)
    var sizes: [Int] = []
    var end = start
    try OrderedWork(count: frames.count, threads: threads).run {
      () throws(PackError) in
      try BlobWorker()
    } work: { (index, worker) throws(PackError) in
      if packs {
        _ = try pack(frames[index], of: content, section.planeCount, &worker)
      } else {
        let bytes = unsafe worker.content.bytes(frames[index].count)
        try unsafe content.fill(frames[index], into: bytes, &worker.scratch)
      }
    } finish: { (index, worker) throws(PackError) in
      try worker.content.withBytes(frames[index].count) { (bytes) throws(PackError) in try digests.update(bytes) }
      if packs {
        let bytes = unsafe UnsafeRawBufferPointer(worker.stored.bytes(worker.storedByteCount))
        try unsafe file.write(bytes, at: end)
        end += worker.storedByteCount
        sizes.append(worker.storedByteCount)
      }
      try finished(frames[index].count)
    }
    return sizes
  }

  /// Writes the section uncompressed.
  private func copy(
    _ section: BlobSection, of content: some BlobContent, to file: borrowing File<PackError>, at start: Int,
    _ finished: (Int) throws(PackError) -> Void
  ) throws(PackError) {
    let frames = Self.frames(of: section)
    try OrderedWork(count: frames.count, threads: threads).run {
      () throws(PackError) in
      try BlobWorker()
    } work: { (index, worker) throws(PackError) in
      let bytes = unsafe worker.content.bytes(frames[index].count)
      try unsafe content.fill(frames[index], into: bytes, &worker.scratch)
      try unsafe file.write(UnsafeRawBufferPointer(bytes), at: start + frames[index].lowerBound - section.range.lowerBound)
    } finish: { (_, _) throws(PackError) in
      // The previous pass has already counted these bytes.
      try finished(0)
    }
  }
}
