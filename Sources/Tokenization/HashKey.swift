// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A key for hash tables of tokens, so that no file can be made whose tokens all fall into one slot.
///
/// Eight bytes at a time are multiplied by a secret factor, and the two halves of the 128-bit product are combined by XOR. The key
/// is chosen once for each process. Results do not depend on it.
struct HashKey: Sendable {
  private let start: UInt64
  private let factor: UInt64

  /// Makes a key; the factor must be odd.
  init(start: UInt64, factor: UInt64) {
    self.start = start
    self.factor = factor
  }

  /// The key of this process.
  static let ofProcess = HashKey(start: .random(in: 0 ... .max), factor: .random(in: 0 ... .max) | 1)

  /// Returns the hash of a string of bytes.
  func hash(_ key: Span<UInt8>) -> UInt64 {
    let count = key.count
    var state = start &+ UInt64(truncatingIfNeeded: count) &* 0x9e37_79b9_7f4a_7c15
    var index = 0
    while index + 8 < count {
      state = mix(state ^ key.word(at: index))
      index += 8
    }
    // The last one to eight bytes. Some of them may be read twice, which is harmless because the length is already in the state.
    let tail: UInt64 =
      if count >= 8 { key.word(at: count - 8) } else if count >= 4 {
        UInt64(key.halfWord(at: 0)) << 32 | UInt64(key.halfWord(at: count - 4))
      } else if count > 0 { UInt64(key[0]) << 16 | UInt64(key[count / 2]) << 8 | UInt64(key[count - 1]) } else { 0 }
    return mix(mix(state ^ tail) ^ start)
  }

  /// Returns the hash of a number.
  func hash(_ number: UInt64) -> UInt64 { mix(mix(number ^ start) ^ start) }

  private func mix(_ value: UInt64) -> UInt64 {
    let product = value.multipliedFullWidth(by: factor)
    return product.high ^ product.low
  }
}

extension Span<UInt8> {
  // Unsafe only in name: bytes have no padding, the reads are checked against the bounds, and any bits are a valid number.

  /// Returns eight bytes as a number in the machine's byte order.
  func word(at offset: Int) -> UInt64 { unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self) }

  /// Returns four bytes as a number in the machine's byte order.
  func halfWord(at offset: Int) -> UInt32 { unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self) }

  /// Whether two spans contain the same bytes.
  func hasSameBytes(as other: Span<UInt8>) -> Bool {
    guard count == other.count else { return false }
    if count < 8 {
      if count < 4 {
        guard count > 0 else { return true }
        return self[0] == other[0] && self[count / 2] == other[count / 2] && self[count - 1] == other[count - 1]
      }
      return halfWord(at: 0) == other.halfWord(at: 0) && halfWord(at: count - 4) == other.halfWord(at: count - 4)
    }
    var index = 0
    while index + 8 < count {
      guard word(at: index) == other.word(at: index) else { return false }
      index += 8
    }
    return word(at: count - 8) == other.word(at: count - 8)
  }
}
