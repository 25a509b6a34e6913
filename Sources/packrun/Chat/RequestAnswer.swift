// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ChatTemplates
import Console
import Generation
import Grammar
import Inference
import JSON

/// A model's reply to a request, taken apart as it comes.
struct RequestAnswer {
  private let conversation: Conversation
  /// What the model goes on from.
  let prompt: Conversation.Prompt

  init(_ conversation: Conversation) throws {
    self.conversation = conversation
    prompt = try conversation.prompt()
    guard !prompt.tokens.isEmpty else { throw Failure("the prompt is empty") }
  }

  /// What the reply may be, so that its content keeps to a grammar, and its calls to what the request says; nil: anything.
  func grammar(content: Grammar?) throws -> Grammar? { try conversation.answerGrammar(for: prompt, content: content) }

  /// Lets the model reply: as text, or as events with a last one that says what the turn means.
  func run(
    _ generator: Generator, _ sampler: inout Sampler, _ report: any AnswerReport, reasoning: ReasoningDisplay
  ) throws {
    var generator = generator
    generator.shownControl = conversation.turnTokens
    var (parser, turn, display) = (conversation.parser(for: prompt), Turn(), AnswerDisplay(reasoning))
    func take(_ events: [TurnEvent]) {
      for event in events {
        turn.append(event)
        if !report.isForPrograms { display.show(event) }
      }
    }
    report.begin(promptTokens: prompt.tokens.count)
    let result = try generator.run(
      prompt: prompt.tokens, sampler: &sampler, isInterrupted: { Interrupt.isRequested || Output.hasFailed }
    ) { token, text in
      if report.isForPrograms { report.add(token, text) }
      take(parser.append(text.utf8))
    }
    take(parser.finish())
    if report.isForPrograms { report.add(turn) } else { display.finish() }
    report.end(result, endsLine: false)
  }
}
