// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ChatTemplates
import Console
import Generation
import Grammar
import Inference
import JSON

/// A model's reply to a request, split into its parts as it arrives.
struct RequestAnswer {
  private let conversation: Conversation
  /// The prompt that the model continues.
  let prompt: Conversation.Prompt

  init(_ conversation: Conversation) throws {
    self.conversation = conversation
    prompt = try conversation.prompt()
    guard !prompt.tokens.isEmpty else { throw Failure("the prompt is empty") }
  }

  /// Returns the grammar of the reply, so that its content follows `content` and its calls follow the request; nil if the reply is free.
  func grammar(content: Grammar?) throws -> Grammar? { try conversation.answerGrammar(for: prompt, content: content) }

  /// Generates the reply, as text or as events; the last event gives the meaning of the turn.
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
