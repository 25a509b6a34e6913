// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ChatTemplates
import Generation
import Inference

/// What packrun reports about prompts and their answers, to people or to programs.
protocol AnswerReport {
  /// Prompts of so many tokens are about to be read.
  func begin(promptTokens: Int)

  /// A token of the only answer with the text that became complete with it; no token with text that was held back until the end.
  func add(_ token: Int32?, _ text: String)

  /// The only answer has ended. `endsLine`: whether its last line has still to be ended.
  func end(_ result: GenerationResult, endsLine: Bool)

  /// What the only answer means, where it is a turn of a conversation.
  func add(_ turn: Turn)

  /// Whether programs read it, rather than people.
  var isForPrograms: Bool { get }

  /// One of several answers has ended; its prompt was `prompt`.
  func add(_ answer: BatchGenerator.Answer, to prompt: String)

  /// All answers have ended.
  func end(_ batch: BatchResult)
}

/// What several answers took.
struct BatchResult {
  /// How many prompts were answered.
  var prompts: Int
  /// Tokens of all answers.
  var tokens: Int
  /// How many prompts were answered at a time.
  var parallel: Int
  /// Seconds for all of them.
  var seconds: Double

  /// Tokens per second, of all answers together.
  var rate: Double { seconds > 0 ? Double(tokens) / seconds : 0 }
}
