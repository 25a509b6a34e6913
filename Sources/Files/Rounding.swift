// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

extension Int {
  /// Returns the smallest multiple of `unit` that is at least this number.
  ///
  /// - Precondition: `unit` is positive, this number is not negative, and the result fits.
  @inlinable
  package func roundedUp(toMultipleOf unit: Int) -> Int { (self + unit - 1) / unit * unit }

  /// Returns how many pieces of at most `size` this number divides into.
  ///
  /// - Precondition: `size` is positive and this number is not negative.
  @inlinable
  package func pieceCount(of size: Int) -> Int { self / size + (self % size == 0 ? 0 : 1) }

  /// Whether it is a power of two.
  package var isPowerOfTwo: Bool { self > 0 && self & (self - 1) == 0 }
}
