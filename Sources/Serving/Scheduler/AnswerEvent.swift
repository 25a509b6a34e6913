// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Generation

/// What becomes known of an answer while it is written.
public enum AnswerEvent: Sendable {
  /// The prompt is being read; so many tokens of it were known already.
  case started(cached: Int)
  /// So many tokens of the prompt are read, the known ones included.
  case read(Int)
  /// Some more of the answer.
  case token(AnswerToken)
  /// The prompt's embedding, where that is wanted instead of an answer.
  case embedding([Float])
  /// The answer has ended. Nothing follows.
  case finished(AnswerSummary)
  /// There will be no answer, or no more of it. Nothing follows.
  case failed(ServingError)
}

/// A token of an answer.
public struct AnswerToken: Sendable {
  /// Its id; nil for text that was kept back, at the end.
  public var id: Int32?
  /// The text that became complete with it: empty while a character is incomplete, or may become a stop text.
  public var text: String
  /// Its probability, where that is wanted.
  public var probability: TokenProbability?
  /// The likeliest tokens in its place, the likeliest first, where they are wanted.
  public var likeliest: [TokenProbability] = []
}

/// The natural logarithm of a token's probability, as the model predicts it: before any option changes it.
public struct TokenProbability: Sendable, Equatable {
  /// The token.
  public var token: Int32
  /// 0 or less.
  public var logarithm: Double
}

/// What an answer took.
public struct AnswerSummary: Sendable {
  /// Why it ended.
  public var reason: StopReason
  /// Tokens of the prompt.
  public var promptTokens: Int
  /// Tokens of the prompt that were known already.
  public var cachedTokens: Int
  /// Tokens of the answer, the one that ended it included.
  public var answerTokens: Int
  /// Whether the answer is whole by its grammar; true without one.
  public var isComplete: Bool
  /// Seconds that the request waited for its turn.
  public var waitingSeconds: Double
  /// Seconds from then until the first token.
  public var promptSeconds: Double
  /// Seconds from then on.
  public var answerSeconds: Double
}
