// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Finds a token's id by its bytes: an open-addressing hash table over `TokenStrings`.
///
/// A slot holds 32 bits of the string's hash above the id, so that a probe that misses touches one cache line.
struct TokenTable: Sendable {
  private let strings: TokenStrings
  private var slots: [UInt64]
  private let mask: Int
  /// Bytes of the longest string in the table.
  private(set) var longest = 0

  private static let free = UInt64.max

  /// Indexes those of `strings` for which `included` holds; of equal ones the lowest id stays, empty ones are left out.
  ///
  /// - Complexity: O(total bytes).
  init(_ strings: TokenStrings, where included: (Int) -> Bool = { _ in true }) {
    self.strings = strings
    let ids = (0..<strings.count).filter(included)
    let size = 1 << Self.slotBits(entries: ids.count)
    mask = size - 1
    slots = [UInt64](repeating: Self.free, count: size)
    strings.bytes.withUnsafeBufferPointer { bytes in
      for id in ids {
        let range = strings.range(id)
        guard !range.isEmpty else { continue }
        insert(id, UnsafeBufferPointer(rebasing: bytes[range]), bytes)
        longest = max(longest, range.count)
      }
    }
  }

  /// The logarithm of how many slots a table of so many entries has: at least 16, so that at most two thirds are full. Smaller is
  /// quicker to fill than emptier is to search.
  static func slotBits(entries: Int) -> Int { Int.bitWidth - max(15, entries + entries / 2).leadingZeroBitCount }

  private mutating func insert(_ id: Int, _ key: UnsafeBufferPointer<UInt8>, _ bytes: UnsafeBufferPointer<UInt8>) {
    let hash = Self.hash(key)
    let tag = hash & 0xffff_ffff_0000_0000
    var slot = Int(truncatingIfNeeded: hash) & mask
    while slots[slot] != Self.free {
      if slots[slot] & 0xffff_ffff_0000_0000 == tag {
        let range = strings.range(Int(slots[slot] & 0xffff_ffff))
        if Self.equal(key, UnsafeBufferPointer(rebasing: bytes[range])) { return }
      }
      slot = (slot + 1) & mask
    }
    slots[slot] = tag | UInt64(id)
  }

  /// The id of the token with exactly these bytes.
  ///
  /// - Complexity: O(key.count) expected.
  func id(of key: UnsafeBufferPointer<UInt8>) -> Int32? {
    guard key.count <= longest, !key.isEmpty else { return nil }
    let hash = Self.hash(key)
    let tag = hash & 0xffff_ffff_0000_0000
    var slot = Int(truncatingIfNeeded: hash) & mask
    return strings.bytes.withUnsafeBufferPointer { bytes in
      while true {
        let entry = slots[slot]
        if entry == Self.free { return nil }
        if entry & 0xffff_ffff_0000_0000 == tag {
          let id = Int(entry & 0xffff_ffff)
          if Self.equal(key, UnsafeBufferPointer(rebasing: bytes[strings.range(id)])) { return Int32(truncatingIfNeeded: id) }
        }
        slot = (slot + 1) & mask
      }
    }
  }

  /// The id of the token with exactly these bytes.
  func id(of key: some Sequence<UInt8>) -> Int32? {
    Array(key).withUnsafeBufferPointer { id(of: $0) }
  }

  private static func equal(_ left: UnsafeBufferPointer<UInt8>, _ right: UnsafeBufferPointer<UInt8>) -> Bool {
    guard left.count == right.count else { return false }
    for index in 0..<left.count where left[index] != right[index] { return false }
    return true
  }

  /// Multiplies eight bytes at a time into a 128-bit product and folds it.
  private static func hash(_ key: UnsafeBufferPointer<UInt8>) -> UInt64 {
    let raw = UnsafeRawBufferPointer(key)
    var state = UInt64(truncatingIfNeeded: key.count) &* 0x9e37_79b9_7f4a_7c15
    var index = 0
    while index + 8 <= raw.count {
      state = mix(state ^ raw.loadUnaligned(fromByteOffset: index, as: UInt64.self))
      index += 8
    }
    var tail: UInt64 = 1
    while index < raw.count {
      tail = tail << 8 | UInt64(raw[index])
      index += 1
    }
    return mix(mix(state ^ tail))
  }

  private static func mix(_ value: UInt64) -> UInt64 {
    let product = value.multipliedFullWidth(by: 0xd6e8_feb8_6659_fd93)
    return product.high ^ product.low
  }
}
