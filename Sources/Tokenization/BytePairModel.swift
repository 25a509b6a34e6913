// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF

/// Byte pair encoding: the symbols of each word are joined in the order of their merges' ranks.
///
/// Most vocabularies are byte-level (`tokenizer.ggml.model` = `gpt2`): symbols are bytes, and tokens and merges are written in the
/// letters of `ByteAlphabet`. A few are like SentencePiece's (`gemma4`): symbols are characters, a space is U+2581, tokens are
/// written as plain text, and a character that no token covers becomes one token for each of its bytes (`<0x0A>`).
struct BytePairModel: Sendable {
  private let preTokenizer: PreTokenizer
  private let table: TokenTable
  private let merges: MergeTable
  /// The token of each byte, or -1.
  private let byteTokens: [Int32]
  private let unknown: Int32?

  /// - Parameters:
  ///   - pieces: What each token prints as.
  ///   - mergeTexts: Pairs in the order of their rank, as in the file: the texts of two tokens, separated by a space.
  init(_ vocabulary: Vocabulary, pieces: TokenStrings, mergeTexts: ByteStrings, preTokenizer: PreTokenizer) {
    self.preTokenizer = preTokenizer
    let isByteLevel = preTokenizer.alphabet == .bytes
    // Control tokens are not text, so no word becomes one. In a byte-level vocabulary, a word also never becomes a token that is
    // written in letters outside the alphabet, even if that token prints the same.
    let table = TokenTable(isByteLevel ? pieces : vocabulary.texts) { id in
      switch vocabulary.kinds[id] {
      case .normal: !isByteLevel || ByteAlphabet.covers(vocabulary.texts.span(id))
      case .userDefined: !isByteLevel || pieces[id].allSatisfy { $0 < 0x80 }
      case .control, .unknown, .unused, .byte, .undefined: false
      }
    }
    self.table = table
    merges = MergeTable(mergeTexts, isSpelled: isByteLevel, table)
    byteTokens =
      isByteLevel ? (0..<256).map { table.id(of: CollectionOfOne(UInt8($0))) ?? -1 } : SentencePieceModel.byteTokens(vocabulary)
    unknown = vocabulary.unknown
  }

  /// Returns what each token of a byte-level vocabulary prints as: the bytes that its letters stand for.
  static func pieces(_ vocabulary: Vocabulary) -> TokenStrings {
    var pieces = TokenStrings()
    pieces.reserveCapacity(strings: vocabulary.count, bytes: vocabulary.texts.bytes.count)
    for id in 0..<vocabulary.count {
      switch vocabulary.kinds[id] {
      case .normal, .unused, .undefined, .byte:
        ByteAlphabet.decode(vocabulary.texts.span(id)) { pieces.append(byte: $0) }
        pieces.endString()
      case .control, .userDefined, .unknown: pieces.append(vocabulary.texts[id])
      }
    }
    return pieces
  }

  /// Appends the tokens of `text`, which must not contain special tokens.
  ///
  /// - Complexity: O(n log w) for n bytes in words of w bytes.
  func encode(_ text: Span<UInt8>, into tokens: inout [Int32], _ merger: inout SymbolMerger) {
    let normal = preTokenizer.composes ? CanonicalComposition.composed(text) : nil
    if let normal { encode(normal: normal.span, into: &tokens, &merger) } else { encode(normal: text, into: &tokens, &merger) }
  }

  private func encode(normal text: Span<UInt8>, into tokens: inout [Int32], _ merger: inout SymbolMerger) {
    switch preTokenizer.alphabet {
    case .bytes: encode(escaped: text, into: &tokens, &merger)
    case .characters:
      var escaped: [UInt8] = []
      escaped.reserveCapacity(text.count + text.count / 2)
      SentencePieceModel.appendEscaped(text, to: &escaped)
      encode(escaped: escaped.span, into: &tokens, &merger)
    }
  }

  private func encode(escaped text: Span<UInt8>, into tokens: inout [Int32], _ merger: inout SymbolMerger) {
    let scalars = ScalarText(text)
    preTokenizer.split(scalars) { word in encode(word: text, scalars, word, &tokens, &merger) }
  }

  private func encode(
    word text: Span<UInt8>, _ scalars: ScalarText, _ word: Range<Int>, _ tokens: inout [Int32], _ merger: inout SymbolMerger
  ) {
    let range = scalars.byteRange(word)
    if isTakenWhole(scalars, word), let token = table.id(of: text.extracting(range)) {
      tokens.append(token)
      return
    }
    merger.removeAll()
    switch preTokenizer.alphabet {
    case .bytes: for index in range { merger.append(SymbolMerger.Symbol(index..<index + 1, token: byteTokens[Int(text[index])])) }
    case .characters:
      for index in word {
        let part = scalars.byteRange(index..<index + 1)
        merger.append(SymbolMerger.Symbol(part, token: table.id(of: text.extracting(part)) ?? -1))
      }
    }
    merger.run { left, right in merges[left.token, right.token] }
    merger.forEach { symbol in
      if symbol.token >= 0 {
        tokens.append(symbol.token)
      } else {
        for index in symbol.range {
          let token = preTokenizer.alphabet == .bytes ? -1 : byteTokens[Int(text[index])]
          if token >= 0 { tokens.append(token) } else if let unknown { tokens.append(unknown) }
        }
      }
    }
  }

  /// Whether a word that is a token becomes that token without merges. Vocabularies like SentencePiece's have tokens of several
  /// line ends that no merges lead to.
  private func isTakenWhole(_ scalars: ScalarText, _ word: Range<Int>) -> Bool {
    preTokenizer.ignoresMerges || (preTokenizer.alphabet == .characters && scalars.values[word.lowerBound] == 0x0a)
  }
}
