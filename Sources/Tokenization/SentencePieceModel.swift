// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The SentencePiece-style tokenizer (`tokenizer.ggml.model` = `llama`): joins characters in the order of the resulting tokens'
/// scores.
///
/// Spaces are written as U+2581 in its tokens. A character that no token covers becomes one token for each of its bytes (`<0x0A>`).
struct SentencePieceModel: Sendable {
  private let table: TokenTable
  /// The priority of joining to each token: lower for higher scores.
  private let priorities: [UInt32]
  /// The token of each byte, or -1.
  private let byteTokens: [Int32]
  private let unknown: Int32?

  private static let space: [UInt8] = Array("\u{2581}".utf8)

  init(_ vocabulary: Vocabulary) {
    table = TokenTable(vocabulary.texts)
    priorities = vocabulary.scores.map(Self.priority)
    byteTokens = Self.byteTokens(vocabulary)
    unknown = vocabulary.unknown
  }

  /// Returns what each token prints as.
  static func pieces(_ vocabulary: Vocabulary) -> TokenStrings {
    var pieces = TokenStrings()
    pieces.reserveCapacity(strings: vocabulary.count, bytes: vocabulary.texts.bytes.count)
    for id in 0..<vocabulary.count {
      let text = vocabulary.texts[id]
      switch vocabulary.kinds[id] {
      case .byte: if let byte = byte(text) { pieces.append(CollectionOfOne(byte)) } else { pieces.append(text) }
      case .normal, .unused, .undefined: appendUnescaped(text, &pieces)
      case .control, .userDefined, .unknown: pieces.append(text)
      }
    }
    return pieces
  }

  /// Returns, for each byte, the token that is written like `<0x0A>`, or -1.
  static func byteTokens(_ vocabulary: Vocabulary) -> [Int32] {
    var tokens = [Int32](repeating: -1, count: 256)
    for id in 0..<vocabulary.count {
      // The kind of these tokens does not matter; of equal ones the first is used.
      if let byte = byte(vocabulary.texts[id]), tokens[Int(byte)] < 0 { tokens[Int(byte)] = Int32(id) }
    }
    return tokens
  }

  /// Appends the tokens of `text`, which must not contain special tokens.
  ///
  /// - Complexity: O(n log n) for n bytes.
  func encode(_ text: Span<UInt8>, addingSpace: Bool, into tokens: inout [Int32], _ merger: inout SymbolMerger) {
    var escaped: [UInt8] = []
    escaped.reserveCapacity(text.count + text.count / 2 + 3)
    if addingSpace { escaped += Self.space }
    Self.appendEscaped(text, to: &escaped)
    merger.removeAll()
    let bytes = escaped.span
    var start = 0
    while start < bytes.count {
      let end = start + (UTF8Bytes.scalar(bytes, start)?.length ?? 1)
      merger.append(SymbolMerger.Symbol(start..<end, token: table.id(of: bytes.extracting(start..<end)) ?? -1))
      start = end
    }
    merger.run { left, right in
      guard let token = table.id(of: bytes.extracting(left.range.lowerBound..<right.range.upperBound)) else { return nil }
      return SymbolMerger.Merge(priority: priorities[Int(token)], token: token)
    }
    merger.forEach { symbol in
      if symbol.token >= 0 {
        tokens.append(symbol.token)
      } else {
        for index in symbol.range {
          let token = byteTokens[Int(bytes[index])]
          if token >= 0 { tokens.append(token) } else if let unknown { tokens.append(unknown) }
        }
      }
    }
  }

  /// Appends `text` with its spaces written as U+2581.
  static func appendEscaped(_ text: Span<UInt8>, to bytes: inout [UInt8]) {
    for index in text.indices { if text[index] == 0x20 { bytes += space } else { bytes.append(text[index]) } }
  }

  /// Maps a score to an integer that falls as the score rises. Equal scores map to equal integers, and so do both zeros.
  private static func priority(_ score: Float) -> UInt32 {
    let bits = (score + 0).bitPattern
    let rising = bits & 0x8000_0000 == 0 ? bits | 0x8000_0000 : ~bits
    return ~rising
  }

  /// Returns the byte that a text such as `<0x0A>`, with upper-case digits, stands for.
  private static func byte(_ text: ArraySlice<UInt8>) -> UInt8? {
    guard text.count == 6, text.starts(with: "<0x".utf8), text.last == UInt8(ascii: ">") else { return nil }
    guard let high = digit(text[text.startIndex + 3]), let low = digit(text[text.startIndex + 4]) else { return nil }
    return high << 4 | low
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
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
