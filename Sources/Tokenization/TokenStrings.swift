// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The byte strings of all tokens in one allocation.
///
/// A quarter of a million small arrays would cost more time and memory than their contents.
struct TokenStrings: Sendable {
  /// All strings, one after another. They are smaller than the header that they come from, which has at most 64 MiB.
  private(set) var bytes: [UInt8] = []
  /// The offset of each string, followed by the end of the last one.
  private var starts: [UInt32] = [0]

  /// The number of strings so far.
  var count: Int { starts.count - 1 }

  /// Allocates memory in advance.
  mutating func reserveCapacity(strings: Int, bytes byteCount: Int) {
    starts.reserveCapacity(strings + 1)
    bytes.reserveCapacity(byteCount)
  }

  /// Adds the next token's bytes.
  mutating func append(_ string: some Collection<UInt8>) {
    bytes.append(contentsOf: string)
    starts.append(UInt32(bytes.count))
  }

  /// Adds a byte to the string that `endString` will end.
  mutating func append(byte: UInt8) { bytes.append(byte) }

  /// Ends the string that `append(byte:)` has built.
  mutating func endString() { starts.append(UInt32(bytes.count)) }

  /// The bytes of string `index`.
  ///
  /// - Precondition: `0 <= index < count`.
  subscript(_ index: Int) -> ArraySlice<UInt8> { bytes[range(index)] }

  /// Returns the bytes of string `index` without retaining the array.
  ///
  /// - Precondition: `0 <= index < count`.
  @_lifetime(borrow self) func span(_ index: Int) -> Span<UInt8> { bytes.span.extracting(range(index)) }

  /// Returns the range of string `index` in `bytes`.
  func range(_ index: Int) -> Range<Int> { Int(starts[index])..<Int(starts[index + 1]) }
}
