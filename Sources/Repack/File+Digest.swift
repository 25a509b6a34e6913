// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import PackFormat

extension File<PackError> {
  /// Reads the bytes in `range` and returns their digest.
  func digest(_ range: Range<Int>) throws(PackError) -> Digest {
    var stream = try DigestStream()
    var buffer = ByteBuffer(capacity: 1 << 20)
    for start in stride(from: range.lowerBound, to: range.upperBound, by: buffer.capacity) {
      let count = min(buffer.capacity, range.upperBound - start)
      try unsafe read(start, into: buffer.bytes(count))
      buffer.withBytes(count) { stream.update($0) }
    }
    return stream.digest
  }
}
