// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

extension UnsafeRawBufferPointer {
  /// The bytes in `range`, counted from the buffer's start.
  @inlinable
  package subscript(bytes range: Range<Int>) -> UnsafeRawBufferPointer { unsafe UnsafeRawBufferPointer(rebasing: self[range]) }
}

extension UnsafeMutableRawBufferPointer {
  /// The bytes in `range`, counted from the buffer's start.
  @inlinable
  package subscript(bytes range: Range<Int>) -> UnsafeMutableRawBufferPointer {
    unsafe UnsafeMutableRawBufferPointer(rebasing: self[range])
  }

  /// Makes all bytes zero.
  @inlinable
  package func clear() { unsafe initializeMemory(as: UInt8.self, repeating: 0) }
}

extension Range<Int> {
  /// Returns the range with its bounds measured from `start`.
  @inlinable
  package func relative(to start: Int) -> Range<Int> { lowerBound - start..<upperBound - start }
}
