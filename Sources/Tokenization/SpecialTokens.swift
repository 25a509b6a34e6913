// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Finds special tokens in a text: control tokens such as `<end_of_turn>`, and those that the vocabulary's makers defined.
///
/// At each place the longest wins, from left to right, in time linear in the text for the few lengths that begin alike.
struct SpecialTokens: Sendable {
  private let table: TokenTable
  private let kinds: [TokenKind]
  /// By first byte: the lengths that special tokens beginning with it have, longest first.
  private let lengths: [[Int]]
  /// The same without control tokens.
  private let userDefinedLengths: [[Int]]

  init(_ strings: TokenStrings, _ kinds: [TokenKind]) {
    self.kinds = kinds
    table = TokenTable(strings) { Self.isSpecial(kinds[$0]) }
    func lengths(where included: (TokenKind) -> Bool) -> [[Int]] {
      var sets = [Set<Int>](repeating: [], count: 256)
      for id in kinds.indices where included(kinds[id]) {
        let text = strings[id]
        if let first = text.first { sets[Int(first)].insert(text.count) }
      }
      return sets.map { $0.sorted(by: >) }
    }
    self.lengths = lengths(where: Self.isSpecial)
    userDefinedLengths = lengths { $0 == .userDefined }
  }

  /// What a text falls into.
  enum Part: Equatable {
    case text(Range<Int>)
    case token(Int32)
  }

  /// Divides `text` into special tokens and what lies between them.
  ///
  /// - Parameter parsingControl: Whether control tokens count; user-defined ones always do.
  func split(_ text: UnsafeBufferPointer<UInt8>, parsingControl: Bool, _ body: (Part) -> Void) {
    let lengths = parsingControl ? lengths : userDefinedLengths
    var begin = 0
    var index = 0
    while index < text.count {
      guard let (token, length) = match(text, index, lengths[Int(text[index])], parsingControl) else {
        index += 1
        continue
      }
      if begin < index { body(.text(begin..<index)) }
      body(.token(token))
      index += length
      begin = index
    }
    if begin < text.count { body(.text(begin..<text.count)) }
  }

  /// Whether `text` is a special token.
  func contains(_ text: String) -> Bool { table.id(of: text.utf8) != nil }

  private func match(
    _ text: UnsafeBufferPointer<UInt8>, _ index: Int, _ lengths: [Int], _ parsingControl: Bool
  ) -> (Int32, Int)? {
    for length in lengths where length <= text.count - index {
      guard let token = table.id(of: UnsafeBufferPointer(rebasing: text[index..<(index + length)])) else { continue }
      if parsingControl || kinds[Int(token)] == .userDefined { return (token, length) }
    }
    return nil
  }

  private static func isSpecial(_ kind: TokenKind) -> Bool { kind == .control || kind == .userDefined || kind == .unknown }
}
