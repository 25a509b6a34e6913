// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import PackFormat

/// Row groups in two forms: the one that is read, and the one that is made of it.
struct GroupConversion {
  /// Bytes of a group as it is read.
  let sourceByteCount: Int
  /// Bytes of a group as it is made.
  let byteCount: Int

  /// The groups in which bytes `range` of what is made lie.
  func groups(in range: Range<Int>) -> Range<Int> {
    range.lowerBound / byteCount..<(range.upperBound - 1) / byteCount + 1
  }
}

/// Memory in which a thread converts groups.
struct GroupBuffers: ~Copyable {
  private var sources = ByteBuffer(capacity: 0)
  private var border = ByteBuffer(capacity: 0)

  /// Memory for a conversion, valid until the next call.
  ///
  /// - Parameter count: How many groups are read at a time; at least one is.
  mutating func memory(for range: Range<Int>, _ conversion: GroupConversion, groups count: Int) -> Memory {
    let batch = min(max(1, count), conversion.groups(in: range).count)
    return unsafe Memory(
      sources: sources.bytes(batch * conversion.sourceByteCount), border: border.bytes(conversion.byteCount))
  }

  /// - Invariant: `sources` holds whole groups as they are read, `border` one group as it is made.
  @unsafe struct Memory {
    fileprivate let sources: UnsafeMutableRawBufferPointer
    fileprivate let border: UnsafeMutableRawBufferPointer

    /// Makes bytes `range` of a run of groups.
    ///
    /// - Parameters:
    ///   - target: As large as `range`, which is not empty.
    ///   - read: Fills memory with groups as they are read, from that byte of their run.
    ///   - convert: Makes one group.
    func forEachGroup(
      of conversion: GroupConversion, in range: Range<Int>, into target: UnsafeMutableRawBufferPointer,
      read: (Int, UnsafeMutableRawBufferPointer) throws(PackError) -> Void,
      convert: (UnsafeRawBufferPointer, UnsafeMutableRawBufferPointer) -> Void
    ) throws(PackError) {
      let (sourceSize, size) = (conversion.sourceByteCount, conversion.byteCount)
      let groups = conversion.groups(in: range)
      for first in stride(from: groups.lowerBound, to: groups.upperBound, by: unsafe sources.count / sourceSize) {
        let batch = unsafe first..<min(groups.upperBound, first + sources.count / sourceSize)
        try unsafe read(first * sourceSize, sources[bytes: 0..<batch.count * sourceSize])
        for group in batch {
          let source = unsafe UnsafeRawBufferPointer(
            sources[bytes: (group - first) * sourceSize..<(group - first + 1) * sourceSize])
          let whole = group * size..<(group + 1) * size
          let wanted = whole.clamped(to: range)
          let part = unsafe target[bytes: wanted.relative(to: range.lowerBound)]
          if wanted == whole {
            unsafe convert(source, part)
          } else {
            // The border of the range cuts through this group: make all of it, keep a part.
            unsafe convert(source, border)
            unsafe part.copyMemory(from: UnsafeRawBufferPointer(border[bytes: wanted.relative(to: whole.lowerBound)]))
          }
        }
      }
    }
  }
}
