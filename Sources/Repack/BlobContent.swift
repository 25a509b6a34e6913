// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackFormat

/// A producer of a blob's content, for any range and on any thread.
protocol BlobContent: AnyObject, Sendable {
  /// Fills `buffer` with the content in `range`.
  ///
  /// - Parameter scratch: The calling thread's own.
  /// - Precondition: `buffer` is as large as `range`, which lies within the content.
  func fill(_ range: Range<Int>, into buffer: UnsafeMutableRawBufferPointer, _ scratch: inout Scratch) throws(PackError)
}

/// The content of an existing blob, unchanged.
final class ExistingContent: BlobContent {
  private let reader: BlobReader

  /// Opens blob `index` of `pack`.
  init(_ pack: Pack, blob index: Int) throws(PackError) { reader = try BlobReader(pack, blob: index) }

  func fill(_ range: Range<Int>, into buffer: UnsafeMutableRawBufferPointer, _ scratch: inout Scratch) throws(PackError) {
    try unsafe reader.read(range.lowerBound, into: buffer, &scratch.codec)
  }
}
