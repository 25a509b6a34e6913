// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackFormat

/// The digests of chunks, computed over content that arrives in pieces of any size.
struct ChunkDigests: ~Copyable {
  private let chunkByteCount: Int
  private var stream: DigestStream?
  private var filled = 0
  private var digests: [Digest] = []

  init(chunkByteCount: Int) { self.chunkByteCount = chunkByteCount }

  /// Adds the next bytes.
  mutating func update(_ bytes: RawSpan) throws(PackError) {
    var start = 0
    while start < bytes.byteCount {
      if stream == nil { stream = try DigestStream() }
      let count = min(chunkByteCount - filled, bytes.byteCount - start)
      stream?.update(bytes.extracting(start..<start + count))
      start += count
      filled += count
      if filled == chunkByteCount { close() }
    }
  }

  private mutating func close() {
    if let digest = stream?.digest { digests.append(digest) }
    stream = nil
    filled = 0
  }

  /// Returns the digests of all chunks, including the last one, which may be shorter.
  consuming func finish() -> [Digest] {
    if filled > 0 { close() }
    return digests
  }
}
