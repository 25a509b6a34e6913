// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ChatTemplates
import Generation
import Inference

/// A report about prompts and their answers, for people or for programs.
protocol AnswerReport {
  /// Announces that prompts of this many tokens in all will be read.
  func begin(promptTokens: Int)

  /// Adds a token of the only answer, with the text that it completes. Text that was held back until the end comes without a token.
  func add(_ token: Int32?, _ text: String)

  /// Ends the only answer; `endsLine` tells whether its last line still needs a line end.
  func end(_ result: GenerationResult, endsLine: Bool)

  /// Adds the meaning of the only answer if it is a turn of a conversation.
  func add(_ turn: Turn)

  /// Whether the report is for programs rather than people.
  var isForPrograms: Bool { get }

  /// Adds one of several answers, which has ended, with its prompt.
  func add(_ answer: BatchGenerator.Answer, to prompt: String)

  /// Ends the report of several answers.
  func end(_ batch: BatchResult)
}

/// The totals of several answers.
struct BatchResult {
  /// The number of prompts that were answered.
  var prompts: Int
  /// The tokens of all answers.
  var tokens: Int
  /// The number of prompts that were answered at a time.
  var parallel: Int
  /// The seconds for all answers.
  var seconds: Double

  /// The tokens per second of all answers together.
  var rate: Double { seconds > 0 ? Double(tokens) / seconds : 0 }
}
