// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackFormat

/// The content of a blob stored as zstd frames. Any number of threads can unpack it straight into place at once.
package final class CompressedContent: Sendable {
  private let reader: PackFormat.BlobReader

  /// Opens blob `index` of `pack`; nil if the blob is not compressed.
  init?(_ pack: Pack, blob index: Int) throws(RuntimeError) {
    guard pack.manifest.blobs[index].storage != nil else { return nil }
    do {
      reader = try PackFormat.BlobReader(pack, blob: index)
    } catch {
      throw .pack(error)
    }
  }

  /// Fills memory with the content in `range`.
  func read(_ range: Range<Int>, into memory: UnsafeMutableRawPointer) throws(RuntimeError) {
    do {
      var codec = try FrameCodec()
      try unsafe reader.read(range.lowerBound, into: UnsafeMutableRawBufferPointer(start: memory, count: range.count), &codec)
    } catch {
      throw .pack(error)
    }
  }
}
