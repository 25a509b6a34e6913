// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A range of addresses as plain numbers, for system calls.
///
/// It does not keep the memory alive, and gives no access to it by itself; `pointer` is for C functions.
package struct AddressRange: Hashable, Sendable {
  /// The first address.
  package let start: UInt
  /// The number of bytes.
  package let count: Int

  /// The `count` bytes from `start`.
  package init(start: UnsafeRawPointer, count: Int) {
    self.start = UInt(bitPattern: start)
    self.count = count
  }

  private init(start: UInt, count: Int) {
    self.start = start
    self.count = count
  }

  /// The address after the last one.
  package var end: UInt { start + UInt(count) }

  /// A part of the range, given in bytes from its start.
  package subscript(part: Range<Int>) -> AddressRange {
    precondition(part.lowerBound >= 0 && part.upperBound <= count)
    return AddressRange(start: start + UInt(part.lowerBound), count: part.count)
  }

  /// The start as a pointer for C functions; nil if it is 0.
  package var pointer: UnsafeMutableRawPointer? { unsafe UnsafeMutableRawPointer(bitPattern: start) }
}
