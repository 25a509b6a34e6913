// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Inference

/// The steps of a model, with rows of logits as spans.
///
/// A row is valid until the body returns. The compiler enforces that for a span, while a pointer would leave it to the reader.
extension Model {
  /// Appends tokens to a sequence; see `append(_:to:logitsFrom:tentative:isInterrupted:_:)`.
  @discardableResult
  package func read(
    _ tokens: [Int32], into sequence: Int = 0, logitsFrom first: Int? = nil, tentative: Int = 0,
    isInterrupted: () -> Bool = { false },
    _ body: (_ position: Int, _ logits: Span<Float>) -> Void
  ) throws(ModelError) -> Bool {
    try unsafe append(tokens, to: sequence, logitsFrom: first, tentative: tentative, isInterrupted: isInterrupted) {
      position, logits in
      unsafe body(position, logits.span)
    }
  }

  /// Predicts what follows a token; see `predict(_:after:offset:_:)`.
  package func foresee(
    _ token: Int32, after sequence: Int, offset: Int, _ body: (_ logits: Span<Float>) -> Void
  ) throws(ModelError) {
    try unsafe predict(token, after: sequence, offset: offset) { logits in unsafe body(logits.span) }
  }

  /// Appends tokens to a sequence for their hidden states; see `appendForHidden(_:to:_:)`.
  package func readHidden(
    _ tokens: [Int32], into sequence: Int = 0, _ body: (_ position: Int, _ state: Span<Float>) -> Void
  ) throws(ModelError) {
    try unsafe appendForHidden(tokens, to: sequence) { position, state in unsafe body(position, state.span) }
  }

  /// Appends one token to each of several sequences; see `step(_:_:)`.
  package func advance(
    _ tokens: [(sequence: Int, token: Int32)], _ body: (_ index: Int, _ logits: Span<Float>) -> Void
  ) throws(ModelError) {
    try unsafe step(tokens) { index, logits in unsafe body(index, logits.span) }
  }
}
