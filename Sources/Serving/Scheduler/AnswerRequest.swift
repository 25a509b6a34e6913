// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Generation
import Grammar

/// A prompt that is to be continued, or whose embedding is wanted.
public struct AnswerRequest: Sendable {
  /// The tokens of the prompt; at least one.
  public var prompt: [Int32]
  /// How tokens are chosen.
  public var sampling = SamplingOptions()
  /// The largest number of tokens in the answer; nil: it ends when the model ends it or the context is full.
  public var maximumTokens: Int?
  /// Texts that end the answer.
  public var stopStrings: [String] = []
  /// Control tokens that appear in the answer as their text.
  public var shownControl: Set<Int32> = []
  /// Whether to continue after the model's end tokens.
  public var ignoresEnd = false
  /// The grammar of the answer; nil: any text.
  public var grammar: Grammar?
  /// The number of likeliest tokens whose probabilities are wanted in addition to that of the chosen token; nil: no probabilities.
  public var likeliestCount: Int?
  /// How hidden states are pooled to an embedding, which is then computed instead of an answer; nil: an answer is wanted.
  public var pooling: Pooling?

  /// Makes a request to continue a prompt until the model ends the answer.
  public init(prompt: [Int32]) { self.prompt = prompt }
}
