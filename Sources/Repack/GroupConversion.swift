// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import PackFormat

/// The sizes of row groups in two forms: the form that is read, and the form that is made from it.
struct GroupConversion {
  /// The bytes of a group in the form that is read.
  let sourceByteCount: Int
  /// The bytes of a group in the form that is made.
  let byteCount: Int

  /// Returns the groups that overlap bytes `range` of the form that is made.
  func groups(in range: Range<Int>) -> Range<Int> {
    range.lowerBound / byteCount..<(range.upperBound - 1) / byteCount + 1
  }
}

/// The memory in which a thread converts row groups.
struct GroupBuffers: ~Copyable {
  private var sources = ByteBuffer(capacity: 0)
  private var border = ByteBuffer(capacity: 0)

  /// Returns memory for a conversion, valid until the next call.
  ///
  /// - Parameter count: The number of groups to read at a time; values below 1 count as 1.
  mutating func memory(for range: Range<Int>, _ conversion: GroupConversion, groups count: Int) -> Memory {
    let batch = min(max(1, count), conversion.groups(in: range).count)
    return unsafe Memory(
      sources: sources.bytes(batch * conversion.sourceByteCount), border: border.bytes(conversion.byteCount))
  }

  /// - Invariant: `sources` holds whole groups in the form that is read, `border` one group in the form that is made.
  @unsafe struct Memory {
    fileprivate let sources: UnsafeMutableRawBufferPointer
    fileprivate let border: UnsafeMutableRawBufferPointer

    /// Makes bytes `range` of a sequence of groups.
    ///
    /// - Parameters:
    ///   - target: The result; as large as `range`, which is not empty.
    ///   - read: Fills memory with groups in the form that is read, starting at the given byte of their sequence.
    ///   - convert: Converts one group.
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
            // The range ends inside this group: make the whole group, and keep the wanted part.
            unsafe convert(source, border)
            unsafe part.copyMemory(from: UnsafeRawBufferPointer(border[bytes: wanted.relative(to: whole.lowerBound)]))
          }
        }
      }
    }
  }
}
