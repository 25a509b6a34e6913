// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF

/// The byte-level BPE tokenizer (`tokenizer.ggml.model` = `gpt2`): words' bytes, joined by the rank of their merge.
struct ByteLevelModel: Sendable {
  private let preTokenizer: PreTokenizer
  private let table: TokenTable
  private let merges: MergeTable
  /// By byte: its token, or -1.
  private let byteTokens: [Int32]
  private let unknown: Int32?

  /// - Parameters:
  ///   - pieces: What each token prints as.
  ///   - mergeTexts: Pairs in the order of their rank, as in the file: two tokens' texts with a space between them.
  init(_ vocabulary: Vocabulary, pieces: TokenStrings, mergeTexts: ByteStrings, preTokenizer: PreTokenizer) {
    self.preTokenizer = preTokenizer
    // Control tokens are not text: no word becomes one. Nor does a word become a token that is written in letters outside the byte
    // alphabet, although such a token may print the same.
    let table = vocabulary.texts.bytes.withUnsafeBufferPointer { bytes in
      TokenTable(pieces) { id in
        switch vocabulary.kinds[id] {
        case .normal: ByteAlphabet.covers(UnsafeBufferPointer(rebasing: bytes[vocabulary.texts.range(id)]))
        case .userDefined: pieces[id].allSatisfy { $0 < 0x80 }
        case .control, .unknown, .unused, .byte, .undefined: false
        }
      }
    }
    self.table = table
    merges = MergeTable(mergeTexts, table)
    byteTokens = (0..<256).map { table.id(of: CollectionOfOne(UInt8($0))) ?? -1 }
    unknown = vocabulary.unknown
  }

  /// What each token prints as: the bytes that its letters stand for.
  static func pieces(_ vocabulary: Vocabulary) -> TokenStrings {
    var pieces = TokenStrings()
    pieces.reserveCapacity(strings: vocabulary.count, bytes: vocabulary.texts.bytes.count)
    vocabulary.texts.bytes.withUnsafeBufferPointer { bytes in
      for id in 0..<vocabulary.count {
        let range = vocabulary.texts.range(id)
        switch vocabulary.kinds[id] {
        case .normal, .unused, .undefined, .byte:
          ByteAlphabet.decode(UnsafeBufferPointer(rebasing: bytes[range])) { pieces.append(byte: $0) }
          pieces.endString()
        case .control, .userDefined, .unknown:
          pieces.append(bytes[range])
        }
      }
    }
    return pieces
  }

  /// Appends the tokens of `text`, a stretch without special tokens.
  ///
  /// - Complexity: O(n log w) for n bytes in words of w.
  func encode(_ bytes: UnsafeBufferPointer<UInt8>, into tokens: inout [Int32], _ merger: inout SymbolMerger) {
    let text = ScalarText(bytes)
    preTokenizer.split(text) { word in
      encode(word: bytes, text.offsets[word.lowerBound]..<text.offsets[word.upperBound], &tokens, &merger)
    }
  }

  private func encode(
    word bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, _ tokens: inout [Int32], _ merger: inout SymbolMerger
  ) {
    if preTokenizer.ignoresMerges, let token = table.id(of: UnsafeBufferPointer(rebasing: bytes[range])) {
      tokens.append(token)
      return
    }
    merger.removeAll()
    for index in range {
      merger.append(SymbolMerger.Symbol(start: index, end: index + 1, token: byteTokens[Int(bytes[index])]))
    }
    merger.run { left, right in merges[left.token, right.token] }
    merger.forEach { symbol in
      if symbol.token >= 0 { tokens.append(symbol.token) } else if let unknown { tokens.append(unknown) }
    }
  }
}

/// The ranks of merges by the pair of tokens that they join: an open-addressing hash table.
struct MergeTable: Sendable {
  private struct Entry {
    /// Both tokens, the left one in the upper half; -1, which is not a pair, in an empty slot.
    var pair: Int64
    var rank: UInt32
    var token: Int32
  }

  private var entries: [Entry]
  private let shift: UInt64

  /// Reads pairs in the order of their rank. Pairs whose parts or whole are not tokens could never be used and are left out.
  init(_ texts: ByteStrings, _ table: TokenTable) {
    let bits = TokenTable.slotBits(entries: texts.count)
    shift = UInt64(64 - bits)
    entries = [Entry](repeating: Entry(pair: -1, rank: 0, token: -1), count: 1 << bits)
    var whole: [UInt8] = []
    for (rank, text) in texts.enumerated() {
      text.withUnsafeBufferPointer { bytes in
        // The first byte may be a space that belongs to the token.
        guard let space = bytes.dropFirst().firstIndex(of: 0x20) else { return }
        whole.removeAll(keepingCapacity: true)
        ByteAlphabet.decode(UnsafeBufferPointer(rebasing: bytes[..<space])) { whole.append($0) }
        let middle = whole.count
        ByteAlphabet.decode(UnsafeBufferPointer(rebasing: bytes[(space + 1)...])) { whole.append($0) }
        let ids = whole.withUnsafeBufferPointer { whole in
          (
            table.id(of: UnsafeBufferPointer(rebasing: whole[..<middle])),
            table.id(of: UnsafeBufferPointer(rebasing: whole[middle...])), table.id(of: whole)
          )
        }
        guard let left = ids.0, let right = ids.1, let token = ids.2 else { return }
        insert(Self.pair(left, right), UInt32(truncatingIfNeeded: rank), token)
      }
    }
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
      // Of two equal pairs, the first counts.
      if entries[slot].pair == pair { return }
      slot = (slot + 1) & (entries.count - 1)
    }
    entries[slot] = Entry(pair: pair, rank: rank, token: token)
  }

  private func slot(_ pair: Int64) -> Int {
    let mixed = (UInt64(bitPattern: pair) ^ UInt64(bitPattern: pair) >> 29) &* 0x9e37_79b9_7f4a_7c15
    return Int(truncatingIfNeeded: mixed >> shift)
  }

  private static func pair(_ left: Int32, _ right: Int32) -> Int64 { Int64(left) << 32 | Int64(right) }
}
