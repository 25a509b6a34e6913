// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The SentencePiece-style tokenizer (`tokenizer.ggml.model` = `llama`): joins characters by the scores of what they make.
///
/// Spaces are written as U+2581 in its tokens. A character that no token covers becomes one token per byte (`<0x0A>`).
struct SentencePieceModel: Sendable {
  private let table: TokenTable
  /// By token: how late its joining comes; the highest score is 0-most.
  private let priorities: [UInt32]
  /// By byte: its token, or -1.
  private let byteTokens: [Int32]
  private let unknown: Int32?

  private static let space: [UInt8] = Array("\u{2581}".utf8)

  init(_ vocabulary: Vocabulary) {
    let table = TokenTable(vocabulary.texts)
    self.table = table
    priorities = vocabulary.scores.map(Self.priority)
    byteTokens = (0..<256).map { byte in table.id(of: Self.byteText(UInt8(byte))) ?? -1 }
    unknown = vocabulary.unknown
  }

  /// What each token prints as.
  static func pieces(_ vocabulary: Vocabulary) -> TokenStrings {
    var pieces = TokenStrings()
    pieces.reserveCapacity(strings: vocabulary.count, bytes: vocabulary.texts.bytes.count)
    for id in 0..<vocabulary.count {
      let text = vocabulary.texts[id]
      switch vocabulary.kinds[id] {
      case .byte:
        if let byte = byte(text) { pieces.append(CollectionOfOne(byte)) } else { pieces.append(text) }
      case .normal, .unused, .undefined:
        appendUnescaped(text, &pieces)
      case .control, .userDefined, .unknown:
        pieces.append(text)
      }
    }
    return pieces
  }

  /// Appends the tokens of `text`, a stretch without special tokens.
  ///
  /// - Complexity: O(n log n) for n bytes.
  func encode(_ text: some Sequence<UInt8>, addingSpace: Bool, into tokens: inout [Int32], _ merger: inout SymbolMerger) {
    var escaped: [UInt8] = []
    escaped.reserveCapacity(text.underestimatedCount * 5 / 4 + 3)
    if addingSpace { escaped += Self.space }
    for byte in text {
      if byte == 0x20 { escaped += Self.space } else { escaped.append(byte) }
    }
    merger.removeAll()
    escaped.withUnsafeBufferPointer { bytes in
      var start = 0
      while start < bytes.count {
        let end = start + (UTF8Bytes.scalar(bytes, start)?.length ?? 1)
        let token = table.id(of: UnsafeBufferPointer(rebasing: bytes[start..<end])) ?? -1
        merger.append(SymbolMerger.Symbol(start: start, end: end, token: token))
        start = end
      }
      merger.run { left, right in
        guard let token = table.id(of: UnsafeBufferPointer(rebasing: bytes[left.start..<right.end])) else { return nil }
        return SymbolMerger.Merge(priority: priorities[Int(token)], token: token)
      }
      merger.forEach { symbol in
        if symbol.token >= 0 {
          tokens.append(symbol.token)
        } else {
          appendBytes(bytes[symbol.start..<symbol.end], &tokens)
        }
      }
    }
  }

  private func appendBytes(_ bytes: Slice<UnsafeBufferPointer<UInt8>>, _ tokens: inout [Int32]) {
    for byte in bytes {
      if byteTokens[Int(byte)] >= 0 { tokens.append(byteTokens[Int(byte)]) } else if let unknown { tokens.append(unknown) }
    }
  }

  /// Maps a score to an integer that falls as the score rises; equal scores, and both zeros, map alike.
  private static func priority(_ score: Float) -> UInt32 {
    let bits = (score + 0).bitPattern
    let rising = bits & 0x8000_0000 == 0 ? bits | 0x8000_0000 : ~bits
    return ~rising
  }

  private static func byteText(_ byte: UInt8) -> [UInt8] {
    let digits = Array("0123456789ABCDEF".utf8)
    return Array("<0x".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]] + Array(">".utf8)
  }

  /// The byte that a text such as `<0x0A>` stands for.
  private static func byte(_ text: ArraySlice<UInt8>) -> UInt8? {
    guard text.count == 6, text.starts(with: "<0x".utf8), text.last == UInt8(ascii: ">") else { return nil }
    return UInt8(String(decoding: text.dropFirst(3).prefix(2), as: UTF8.self), radix: 16)
  }

  private static func appendUnescaped(_ text: ArraySlice<UInt8>, _ pieces: inout TokenStrings) {
    var index = text.startIndex
    while index < text.endIndex {
      if text[index] == space[0], text.endIndex - index >= 3, text[index + 1] == space[1], text[index + 2] == space[2] {
        pieces.append(byte: 0x20)
        index += 3
      } else {
        pieces.append(byte: text[index])
        index += 1
      }
    }
    pieces.endString()
  }
}
