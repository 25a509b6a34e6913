// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Finds a token's id by its bytes: a hash table over `TokenStrings` with open addressing.
///
/// A slot holds 32 bits of the string's hash above the id, so that a probe of the wrong slot touches only one cache line.
struct TokenTable: Sendable {
  private let strings: TokenStrings
  private var slots: [UInt64]
  private let mask: Int
  private let key = HashKey.ofProcess
  /// Bytes of the longest string in the table.
  private(set) var longest = 0

  private static let free = UInt64.max
  private static let tagBits: UInt64 = 0xffff_ffff_0000_0000

  /// Indexes those of `strings` for which `included` returns true. Of equal strings the lowest id is kept; empty ones are left out.
  ///
  /// - Complexity: O(total bytes).
  init(_ strings: TokenStrings, where included: (Int) -> Bool = { _ in true }) {
    self.strings = strings
    let ids = (0..<strings.count).filter(included)
    let size = 1 << Self.slotBits(entries: ids.count)
    mask = size - 1
    slots = [UInt64](repeating: Self.free, count: size)
    for id in ids {
      let string = strings.span(id)
      guard !string.isEmpty else { continue }
      let (slot, found) = find(string)
      guard found == nil else { continue }
      slots[slot] = key.hash(string) & Self.tagBits | UInt64(id)
      longest = max(longest, string.count)
    }
  }

  /// Returns the logarithm of the number of slots for a table with `entries` entries: at least 16 slots, at most two thirds of them
  /// full. A smaller table is faster to fill; that outweighs the faster search in an emptier one.
  static func slotBits(entries: Int) -> Int { Int.bitWidth - max(15, entries + entries / 2).leadingZeroBitCount }

  /// Returns the id of the token with exactly these bytes.
  ///
  /// - Complexity: O(string.count) expected.
  func id(of string: Span<UInt8>) -> Int32? {
    guard string.count <= longest, !string.isEmpty else { return nil }
    return find(string).id
  }

  /// Returns the id of the token with exactly these bytes.
  func id(of string: some Sequence<UInt8>) -> Int32? {
    let bytes = Array(string)
    return id(of: bytes.span)
  }

  /// Returns the slot of a string and its id, or the empty slot for it.
  private func find(_ string: Span<UInt8>) -> (slot: Int, id: Int32?) {
    let hash = key.hash(string)
    let tag = hash & Self.tagBits
    var slot = Int(truncatingIfNeeded: hash) & mask
    while true {
      let entry = slots[slot]
      if entry == Self.free { return (slot, nil) }
      if entry & Self.tagBits == tag {
        let id = Int(entry & ~Self.tagBits)
        if string.hasSameBytes(as: strings.span(id)) { return (slot, Int32(truncatingIfNeeded: id)) }
      }
      slot = (slot + 1) & mask
    }
  }
}
