// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Tokenization

/// A conversation as it grows: gives only what is new, so that the KV cache keeps what it has.
///
/// The texts that `ask` returns, with the replies between them, are the prompt of the whole conversation. The first is to
/// be encoded with the tokens that the model asks for at a text's beginning, the others without; all with special tokens
/// parsed (`tokens`).
public struct Conversation: Sendable {
  /// How it is written.
  public let template: ChatTemplate
  let format: ChatFormat
  private let system: String
  private let writesBeginOfText: Bool
  private var hasBegun = false
  private var endsWithReply = false

  /// An empty conversation.
  ///
  /// - Parameters:
  ///   - system: What the model is told beforehand; may be empty.
  ///   - writesBeginOfText: Whether the model's own template writes the begin-of-text token, which is then there even if the
  ///     tokenizer does not add it.
  public init(_ template: ChatTemplate, system: String = "", writesBeginOfText: Bool = false) {
    self.writesBeginOfText = writesBeginOfText
    self.template = template
    self.system = system
    format = template.format
  }

  /// The text to append for the user's next turn, up to where the model is to reply. A reply in between is assumed to be
  /// in the cache without the token that ended it.
  public mutating func ask(_ content: String) -> String {
    turn(content) + replyCue()
  }

  /// The same as tokens.
  public mutating func ask(_ content: String, _ tokenizer: Tokenizer) -> [Int32] {
    let isFirst = !hasBegun
    var tokens = tokenizer.encode(ask(content), addSpecial: isFirst && tokenizer.addsBeginOfText, parseSpecial: true)
    // Some templates write the token that the tokenizer adds, too: it stands there once, whichever of them asks for it.
    if isFirst, let begin = tokenizer.beginOfText {
      if tokens.starts(with: [begin, begin]) { tokens.removeFirst() }
      if writesBeginOfText, tokens.first != begin { tokens.insert(begin, at: 0) }
    }
    if isFirst, tokenizer.addsBeginOfText, tokenizer.addsEndOfText, let end = tokenizer.endOfText, tokens.last == end {
      tokens.removeLast()
    }
    return tokens
  }

  /// The text of a user's turn.
  mutating func turn(_ content: String) -> String {
    var text = endsWithReply ? format.replyEnd : ""
    endsWithReply = false
    var content = trimmed(content)
    if !hasBegun {
      text += beginning()
      if format.system == nil, !system.isEmpty { content = trimmed(system) + "\n\n" + content }
    }
    return text + format.user.before + content + format.user.after
  }

  /// The text of a reply that exists already.
  mutating func written(_ content: String) -> String {
    let ended = endsWithReply ? format.replyEnd : ""
    endsWithReply = true
    return ended + (hasBegun ? "" : beginning()) + format.written + trimmed(content)
  }

  /// The text that makes the model reply.
  mutating func replyCue() -> String {
    let ended = endsWithReply ? format.replyEnd : ""
    endsWithReply = true
    return ended + (hasBegun ? "" : beginning()) + format.reply
  }

  private mutating func beginning() -> String {
    hasBegun = true
    guard let frame = format.system else { return format.begin }
    let content = system.isEmpty ? format.defaultSystem : trimmed(system)
    return format.begin + (content.map { frame.before + $0 + frame.after } ?? "")
  }

  private func trimmed(_ text: String) -> String {
    guard format.trims else { return text }
    let scalars = text.unicodeScalars
    let head = scalars.drop { $0.properties.isWhitespace }
    guard let last = head.lastIndex(where: { !$0.properties.isWhitespace }) else { return "" }
    return String(head[...last])
  }
}
