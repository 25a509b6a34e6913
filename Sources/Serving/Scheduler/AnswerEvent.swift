// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Generation

/// An event of an answer while it is computed.
public enum AnswerEvent: Sendable {
  /// The prompt is being read; `cached` of its tokens were already known.
  case started(cached: Int)
  /// This many tokens of the prompt have been read, including known ones.
  case read(Int)
  /// The next part of the answer.
  case token(AnswerToken)
  /// The prompt's embedding, if that is wanted instead of an answer.
  case embedding([Float])
  /// The answer has ended. Nothing follows.
  case finished(AnswerSummary)
  /// There will be no answer, or no more of it. Nothing follows.
  case failed(ServingError)
}

/// A token of an answer.
public struct AnswerToken: Sendable {
  /// The id; nil for text that was held back until the end.
  public var id: Int32?
  /// The text that this token completed. It is empty while a character is incomplete, or while the text may become a stop string.
  public var text: String
  /// The probability of the token, if requested.
  public var probability: TokenProbability?
  /// The likeliest tokens at its place, likeliest first, if requested.
  public var likeliest: [TokenProbability] = []
}

/// The natural logarithm of a token's probability as the model predicts it, before any sampling option changes it.
public struct TokenProbability: Sendable, Equatable {
  /// The token.
  public var token: Int32
  /// The logarithm, at most 0.
  public var logarithm: Double
}

/// The counts and times of one answer.
public struct AnswerSummary: Sendable {
  /// Why it ended.
  public var reason: StopReason
  /// The number of tokens of the prompt.
  public var promptTokens: Int
  /// The number of the prompt's tokens that were already known.
  public var cachedTokens: Int
  /// The number of tokens of the answer, including the one that ended it.
  public var answerTokens: Int
  /// Whether the answer is complete by its grammar; true without one.
  public var isComplete: Bool
  /// Seconds that the request waited for a slot.
  public var waitingSeconds: Double
  /// Seconds from then to the first token.
  public var promptSeconds: Double
  /// Seconds from the first token to the end.
  public var answerSeconds: Double
}
