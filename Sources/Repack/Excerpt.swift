// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import PackFormat

/// Ranges of files, one after another, that go into a pack unchanged: headers, and what lies between tensors.
///
/// They are read one piece at a time, so memory does not grow with their size.
struct Excerpt: Sendable {
  /// Consecutive bytes of a file.
  struct Piece: Sendable {
    let path: String
    let range: Range<Int>
  }

  /// The pieces in order; those of one file are consecutive.
  let pieces: [Piece]

  private static let bufferByteCount = 1 << 20

  /// The total size in bytes.
  var byteCount: Int { pieces.reduce(0) { $0 + $1.range.count } }

  /// Passes all bytes to `body`, in order.
  private func read(_ body: (RawSpan) throws(PackError) -> Void) throws(PackError) {
    var buffer = ByteBuffer(capacity: Self.bufferByteCount)
    var index = 0
    while index < pieces.count {
      let file = try File<PackError>(pieces[index].path, links: .followed)
      while index < pieces.count, pieces[index].path == file.path {
        let range = pieces[index].range
        for start in stride(from: range.lowerBound, to: range.upperBound, by: Self.bufferByteCount) {
          let count = min(Self.bufferByteCount, range.upperBound - start)
          try unsafe file.read(start, into: buffer.bytes(count))
          try buffer.withBytes(count, body)
        }
        index += 1
      }
    }
  }

  /// Returns whether all bytes are zero.
  ///
  /// - Parameter check: Called from time to time; an error that it throws stops the reading.
  func isZero(_ check: () throws(PackError) -> Void) throws(PackError) -> Bool {
    var isZero = true
    try read { (bytes) throws(PackError) in
      try check()
      if isZero { isZero = unsafe bytes.withUnsafeBytes { unsafe $0.allSatisfy { $0 == 0 } } }
    }
    return isZero
  }

  /// Returns the digest of all bytes.
  func digest() throws(PackError) -> Digest {
    try digest { (_, _) throws(PackError) in }
  }

  /// Writes all bytes to the file `name` in `folder`, waits until they are on the disk, and returns their digest.
  ///
  /// - Parameter check: Called from time to time; an error that it throws stops the copying.
  func copy(
    to name: String, in folder: borrowing Folder<PackError>, _ check: () throws(PackError) -> Void
  ) throws(PackError) -> Digest {
    let file = try folder.file(name, for: .updating)
    try file.reserve(byteCount)
    let digest = try digest { (bytes, offset) throws(PackError) in
      try check()
      try unsafe bytes.withUnsafeBytes { (buffer) throws(PackError) in try unsafe file.write(buffer, at: offset) }
    }
    try file.synchronize()
    return digest
  }

  private func digest(
    _ body: (_ bytes: RawSpan, _ offset: Int) throws(PackError) -> Void
  ) throws(PackError) -> Digest {
    var stream = try DigestStream()
    var offset = 0
    try read { (bytes) throws(PackError) in
      stream.update(bytes)
      try body(bytes, offset)
      offset += bytes.byteCount
    }
    return stream.digest
  }
}
