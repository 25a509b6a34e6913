// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ChatTemplates
import Tokenization

/// Turns the pieces of prompts into the tokens of a model.
///
/// Only what the template wrote may become special tokens. If a message contains the text of one, it stays plain text.
struct PromptEncoder: Sendable {
  let tokenizer: Tokenizer
  /// User-defined tokens that the template writes, such as `<tool_call>`. They have a meaning, so a message may not write them.
  private let marks: Set<Int32>

  init(_ tokenizer: Tokenizer, _ template: ChatTemplate) {
    self.tokenizer = tokenizer
    marks = tokenizer.userDefinedTokens(in: template.text)
  }

  /// Returns the tokens of a whole prompt. The begin-of-text token appears once, whether the template writes it or the tokenizer
  /// adds it.
  func tokens(_ pieces: [PromptPiece]) -> [Int32] {
    var bytes: [UInt8] = []
    var trusted: [Range<Int>] = []
    for piece in pieces {
      let begin = bytes.count
      bytes += piece.text.utf8
      if piece.isTemplate { trusted.append(begin..<bytes.count) }
    }
    var tokens = tokenizer.encode(bytes: bytes, trusted: trusted, marks: marks)
    guard let begin = tokenizer.beginOfText else { return tokens }
    if tokens.starts(with: [begin, begin]) { tokens.removeFirst() }
    if tokenizer.addsBeginOfText, tokens.first != begin { tokens.insert(begin, at: 0) }
    return tokens
  }
}
