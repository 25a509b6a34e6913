// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The secret of the tables of tokens: a keyed hash, so that nobody can make a file whose tokens all fall into one slot.
///
/// Eight bytes at a time are multiplied by a secret factor into a product of 128 bits, which is folded. The key is drawn once for
/// each process; which slot an entry has changes nothing that anyone sees.
struct HashKey: Sendable {
  private let start: UInt64
  private let factor: UInt64

  /// A key; the factor is odd.
  init(start: UInt64, factor: UInt64) {
    self.start = start
    self.factor = factor
  }

  /// The key of this process.
  static let ofProcess = HashKey(start: .random(in: 0 ... .max), factor: .random(in: 0 ... .max) | 1)

  /// The hash of a string of bytes.
  func hash(_ key: Span<UInt8>) -> UInt64 {
    let count = key.count
    var state = start &+ UInt64(truncatingIfNeeded: count) &* 0x9e37_79b9_7f4a_7c15
    var index = 0
    while index + 8 < count {
      state = mix(state ^ key.word(at: index))
      index += 8
    }
    // The last one to eight bytes, some of them perhaps for the second time: the length is in the state already.
    let tail: UInt64 =
      if count >= 8 { key.word(at: count - 8) } else if count >= 4 {
        UInt64(key.halfWord(at: 0)) << 32 | UInt64(key.halfWord(at: count - 4))
      } else if count > 0 { UInt64(key[0]) << 16 | UInt64(key[count / 2]) << 8 | UInt64(key[count - 1]) } else { 0 }
    return mix(mix(state ^ tail) ^ start)
  }

  /// The hash of a number.
  func hash(_ number: UInt64) -> UInt64 { mix(mix(number ^ start) ^ start) }

  private func mix(_ value: UInt64) -> UInt64 {
    let product = value.multipliedFullWidth(by: factor)
    return product.high ^ product.low
  }
}

extension Span<UInt8> {
  // Unsafe in name only: bytes have no padding, the reads are checked against the bounds, and any bits are a number.

  /// Eight bytes as a number in the machine's byte order.
  func word(at offset: Int) -> UInt64 { unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self) }

  /// The same with four bytes.
  func halfWord(at offset: Int) -> UInt32 { unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self) }

  /// Whether two spans hold the same bytes.
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
