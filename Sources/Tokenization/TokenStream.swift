// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Turns tokens into text as they arrive, without ever returning half a character.
///
/// A character may be spread over several tokens, one for each byte: its first bytes wait for the others. Bytes that cannot belong
/// to a character become U+FFFD.
public struct TokenStream: Sendable {
  private let tokenizer: Tokenizer
  private let showsControl: Bool
  private let shown: Set<Int32>
  private var pending: [UInt8] = []
  private var dropsSpace: Bool

  /// Makes a stream for tokens of `tokenizer`.
  ///
  /// - Parameters:
  ///   - showsControl: Whether control tokens appear as their text; otherwise they print nothing.
  ///   - shown: Control tokens that always appear as their text.
  ///   - beginsText: Whether the first token begins a text, so that the space which the tokenizer adds before a text is removed.
  ///     False if the tokens continue a prompt.
  public init(_ tokenizer: Tokenizer, showsControl: Bool = false, shown: Set<Int32> = [], beginsText: Bool = false) {
    self.tokenizer = tokenizer
    self.showsControl = showsControl
    self.shown = shown
    dropsSpace = beginsText && tokenizer.addsSpacePrefix
  }

  /// Returns the text that `token` completes; empty while a character is incomplete.
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

  /// Returns what is left at the end: a character that was never completed, as U+FFFD.
  public mutating func finish() -> String {
    let text = String(decoding: pending, as: UTF8.self)
    pending.removeAll()
    return text
  }
}
