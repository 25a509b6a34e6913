// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackFormat

/// The content of a blob that is stored as zstd frames, unpacked straight into its place by any number of threads at once.
package final class CompressedContent: Sendable {
  private let reader: PackFormat.BlobReader

  /// Opens blob `index` of `pack`; nil if its file is the content.
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
