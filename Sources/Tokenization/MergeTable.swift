// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF

/// The ranks of merges by the pair of tokens that they join: an open-addressing hash table.
struct MergeTable: Sendable {
  private struct Entry {
    /// Both tokens, the left one in the upper half; -1, which is not a pair, where nothing is.
    var pair: Int64
    var rank: UInt32
    var token: Int32
  }

  private var entries: [Entry]
  private let shift: UInt64
  private let key = HashKey.ofProcess

  /// Reads pairs in the order of their rank. Those whose parts or whole are not tokens could never be used and are left out.
  ///
  /// - Parameters:
  ///   - texts: As in the file: two tokens' texts with a space between them.
  ///   - isSpelled: Whether they are written in the letters of `ByteAlphabet`.
  init(_ texts: ByteStrings, isSpelled: Bool, _ table: TokenTable) {
    let bits = TokenTable.slotBits(entries: texts.count)
    shift = UInt64(64 - bits)
    entries = [Entry](repeating: Entry(pair: -1, rank: 0, token: -1), count: 1 << bits)
    var whole: [UInt8] = []
    for (rank, text) in texts.enumerated() {
      // The first byte may be a space of its own.
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

  /// What two tokens become, or nil; also if one of them is -1.
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
      // The first of two equal ones counts.
      if entries[slot].pair == pair { return }
      slot = (slot + 1) & (entries.count - 1)
    }
    entries[slot] = Entry(pair: pair, rank: rank, token: token)
  }

  private func slot(_ pair: Int64) -> Int { Int(truncatingIfNeeded: key.hash(UInt64(bitPattern: pair)) >> shift) }

  private static func pair(_ left: Int32, _ right: Int32) -> Int64 { Int64(left) << 32 | Int64(right) }
}
