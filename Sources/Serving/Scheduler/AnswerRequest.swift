// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Generation
import Grammar

/// A prompt that is to be continued, and how; or whose embedding is wanted.
public struct AnswerRequest: Sendable {
  /// At least one token.
  public var prompt: [Int32]
  /// How tokens are chosen.
  public var sampling = SamplingOptions()
  /// Tokens of the answer at most; nil: until the model or the context ends it.
  public var maximumTokens: Int?
  /// Texts that end the answer.
  public var stopStrings: [String] = []
  /// Control tokens that appear as their text.
  public var shownControl: Set<Int32> = []
  /// Whether to continue after the model's end tokens.
  public var ignoresEnd = false
  /// What the answer may be; nil: anything.
  public var grammar: Grammar?
  /// Of how many of the likeliest tokens the probabilities are wanted, in addition to the chosen one's; nil: none at all.
  public var likeliestCount: Int?
  /// How the prompt becomes an embedding, which is wanted instead of an answer; nil: an answer is.
  public var pooling: Pooling?

  /// A prompt to be continued until the model ends the answer.
  public init(prompt: [Int32]) { self.prompt = prompt }
}
