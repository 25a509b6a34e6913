// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import PackFormat

/// Ranges of files, one after another, that go into a pack as they are: headers, and what lies between tensors.
///
/// They are read a piece at a time, so that memory does not grow with them.
struct Excerpt: Sendable {
  /// Consecutive bytes of a file.
  struct Piece: Sendable {
    let path: String
    let range: Range<Int>
  }

  /// The pieces, in order; those of a file stand together.
  let pieces: [Piece]

  private static let bufferByteCount = 1 << 20

  /// Bytes in all.
  var byteCount: Int { pieces.reduce(0) { $0 + $1.range.count } }

  /// Hands out everything, in order.
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

  /// Whether all of it is zero.
  ///
  /// - Parameter check: Called now and then; what it throws ends the reading.
  func isZero(_ check: () throws(PackError) -> Void) throws(PackError) -> Bool {
    var isZero = true
    try read { (bytes) throws(PackError) in
      try check()
      if isZero { isZero = unsafe bytes.withUnsafeBytes { unsafe $0.allSatisfy { $0 == 0 } } }
    }
    return isZero
  }

  /// The digest of all of it.
  func digest() throws(PackError) -> Digest {
    try digest { (_, _) throws(PackError) in }
  }

  /// Writes it to the file `name` of `folder`, down to the disk, and returns its digest.
  ///
  /// - Parameter check: Called now and then; what it throws ends the copying.
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
