// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF

/// The ranks of merges by the pair of tokens that they join: a hash table with open addressing.
struct MergeTable: Sendable {
  private struct Entry {
    /// Both tokens, the left one in the upper half; -1 for an empty slot, because no pair has that value.
    var pair: Int64
    var rank: UInt32
    var token: Int32
  }

  private var entries: [Entry]
  private let shift: UInt64
  private let key = HashKey.ofProcess

  /// Reads pairs in the order of their rank. A pair whose parts or whole are not tokens is left out, because it could never be
  /// used.
  ///
  /// - Parameters:
  ///   - texts: Pairs as in the file: the texts of two tokens, separated by a space.
  ///   - isSpelled: Whether they are written in the letters of `ByteAlphabet`.
  init(_ texts: ByteStrings, isSpelled: Bool, _ table: TokenTable) {
    let bits = TokenTable.slotBits(entries: texts.count)
    shift = UInt64(64 - bits)
    entries = [Entry](repeating: Entry(pair: -1, rank: 0, token: -1), count: 1 << bits)
    var whole: [UInt8] = []
    for (rank, text) in texts.enumerated() {
      // The first token may itself begin with a space.
      guard let space = text.dropFirst().firstIndex(of: 0x20) else { continue }
      whole.removeAll(keepingCapacity: true)
      Self.append(text[..<space], isSpelled, to: &whole)
      let middle = whole.count
      Self.append(text[(space + 1)...], isSpelled, to: &whole)
      let bytes = whole.span
      guard let left = table.id(of: bytes.extracting(first: middle)),
        let right = table.id(of: bytes.extracting(droppingFirst: middle)), let token = table.id(of: bytes)
      else { continue }
      insert(Self.pair(left, right), UInt32(truncatingIfNeeded: rank), token)
    }
  }

  private static func append(_ text: ArraySlice<UInt8>, _ isSpelled: Bool, to bytes: inout [UInt8]) {
    if isSpelled { ByteAlphabet.decode(text.span) { bytes.append($0) } } else { bytes += text }
  }

  /// The merge of two tokens; nil if there is none, or if one of them is -1.
  subscript(_ left: Int32, _ right: Int32) -> SymbolMerger.Merge? {
    guard left >= 0, right >= 0 else { return nil }
    let pair = Self.pair(left, right)
    var slot = self.slot(pair)
    while entries[slot].pair != -1 {
      if entries[slot].pair == pair { return SymbolMerger.Merge(priority: entries[slot].rank, token: entries[slot].token) }
      slot = (slot + 1) & (entries.count - 1)
    }
    return nil
  }

  private mutating func insert(_ pair: Int64, _ rank: UInt32, _ token: Int32) {
    var slot = self.slot(pair)
    while entries[slot].pair != -1 {
      // Of equal pairs, the first one is kept.
      if entries[slot].pair == pair { return }
      slot = (slot + 1) & (entries.count - 1)
    }
    entries[slot] = Entry(pair: pair, rank: rank, token: token)
  }

  private func slot(_ pair: Int64) -> Int { Int(truncatingIfNeeded: key.hash(UInt64(bitPattern: pair)) >> shift) }

  private static func pair(_ left: Int32, _ right: Int32) -> Int64 { Int64(left) << 32 | Int64(right) }
}
