// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Turns tokens into text as they come, and never gives out half a character.
///
/// A character may be spread over several tokens, one byte each: its first bytes wait here for the rest. Bytes that cannot
/// belong to a character become U+FFFD.
public struct TokenStream: Sendable {
  private let tokenizer: Tokenizer
  private let showsControl: Bool
  private let shown: Set<Int32>
  private var pending: [UInt8] = []
  private var dropsSpace: Bool

  /// A stream of `tokenizer`'s tokens.
  ///
  /// - Parameters:
  ///   - showsControl: Whether control tokens appear as their text; else they print nothing.
  ///   - shown: Control tokens that appear as their text even so.
  ///   - beginsText: Whether the first token begins a text. The space that the tokenizer puts in front of a text is then dropped.
  ///     False when the tokens continue a prompt.
  public init(_ tokenizer: Tokenizer, showsControl: Bool = false, shown: Set<Int32> = [], beginsText: Bool = false) {
    self.tokenizer = tokenizer
    self.showsControl = showsControl
    self.shown = shown
    dropsSpace = beginsText && tokenizer.addsSpacePrefix
  }

  /// The text that becomes complete with `token`; empty while a character is incomplete.
  public mutating func append(_ token: Int32) -> String {
    var bytes = tokenizer.bytes(of: token, showsControl: showsControl || shown.contains(token))
    if dropsSpace, !bytes.isEmpty {
      dropsSpace = false
      if bytes.first == 0x20 { bytes = bytes.dropFirst() }
    }
    pending += bytes
    let complete = pending.count - UTF8Bytes.incompleteTail(pending.span)
    let text = String(decoding: pending[..<complete], as: UTF8.self)
    pending.removeFirst(complete)
    return text
  }

  /// What is left at the end: a character that never became complete, as U+FFFD.
  public mutating func finish() -> String {
    let text = String(decoding: pending, as: UTF8.self)
    pending.removeAll()
    return text
  }
}
