// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

extension [UInt8] {
  /// Appends the `count` low bytes of a number, least significant first.
  package mutating func append(_ number: UInt64, count: Int) {
    for index in 0..<count { append(UInt8(truncatingIfNeeded: number >> (8 * UInt64(index)))) }
  }

  /// Returns the number stored in `count` bytes at `offset`, least significant first; nil if it reaches beyond the end or does not fit an
  /// `Int`.
  package func integer(at offset: Int, count: Int) -> Int? {
    guard let end = offset.adding(count), offset >= 0, end <= self.count else { return nil }
    var number: UInt64 = 0
    for index in 0..<count { number |= UInt64(self[offset + index]) << (8 * UInt64(index)) }
    return Int(exactly: number)
  }
}
