// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Inference

/// Why a request gets no answer.
public enum ServingError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The queue is full.
  case queueFull(limit: Int)
  /// The server is ending.
  case closing
  /// The prompt has no tokens.
  case emptyPrompt
  /// The prompt leaves no room for an answer.
  case contextFull(tokens: Int, contextLength: Int)
  /// A token of the prompt is not in the vocabulary.
  case tokenOutOfRange(token: Int, vocabularySize: Int)
  /// The model failed.
  case model(ModelError)

  /// The error in one line. It does not name any file.
  public var description: String {
    switch self {
    case .queueFull(let limit): "\(limit) requests are waiting already; try again later"
    case .closing: "the server is ending and takes no more requests"
    case .emptyPrompt: "the prompt is empty"
    case .contextFull(let tokens, let contextLength):
      "the prompt has \(tokens) tokens; the context holds \(contextLength), including the answer"
    case .tokenOutOfRange(let token, let vocabularySize): "token \(token) is outside the vocabulary of \(vocabularySize)"
    case .model(let error): error.problem
    }
  }
}
