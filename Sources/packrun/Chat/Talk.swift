// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ChatTemplates
import Console
import Files
import Generation
import Grammar
import Inference
import JSON
import ModelConsole
import Tokenization

/// A conversation in progress: its turns, the part that the model has computed, and the way it answers.
struct Talk {
  let session: Session
  private let tokenizer: Tokenizer
  private let generator: Generator
  var conversation: Conversation
  private var cache = CachedSequence()
  private var sampler: Sampler
  private let reasoning: ReasoningDisplay
  /// The report that receives each reply as events, for programs; nil if people read it.
  private let report: JSONReport?
  /// The grammar for the content of each reply, and the vocabulary for it; nil if the content is free.
  private let content: (grammar: Grammar, vocabulary: AnswerConstraint.Vocabulary)?
  /// The result of the last reply.
  private var lastResult: GenerationResult?
  /// The number of tokens of its prompt that were computed already.
  private var lastKept = 0

  init(
    _ conversation: Conversation, _ session: Session, _ tokenizer: Tokenizer, _ sampling: SamplingArguments,
    _ drafter: Drafter?, content: Grammar?, reasoning: ReasoningDisplay,
    report: JSONReport?
  ) {
    self.content = content.map { ($0, AnswerConstraint.Vocabulary(tokenizer)) }
    self.session = session
    self.tokenizer = tokenizer
    self.conversation = conversation
    self.reasoning = reasoning
    self.report = report
    var generator = Generator(session.model, tokenizer)
    generator.maximumTokens = sampling.maximumTokens
    generator.stopStrings = sampling.stop
    generator.shownControl = conversation.turnTokens
    generator.drafter = drafter
    self.generator = generator
    sampler = Sampler(
      sampling.options(contextLength: session.model.contextLength), vocabularySize: session.model.vocabularySize)
  }

  /// Says why a turn got no reply.
  func refuse(_ problem: String) {
    report?.add(problem: problem)
    Terminal.note(problem)
  }

  /// Prints a line that a person has asked for, apart from the answers.
  func print(_ line: String) {
    if report == nil { Output.print(line: line) } else { Terminal.note(line) }
  }

  private var contextLength: Int { session.model.contextLength }

  /// The speed of the last reply on one line; nil if there is none.
  var speed: String? {
    guard let result = lastResult else { return nil }
    let kept = lastKept > 0 ? " (and \(lastKept) cached)" : ""
    return "prompt \(Count(result.promptTokens, "token"))\(kept), \(Decimal(result.promptRate, 1))/s; "
      + "answer \(Count(result.tokens.count, "token")), \(Decimal(result.decodeRate, 1))/s\(result.draftText)"
  }

  /// The size of the conversation and the work of the last reply, as lines.
  var statistics: [String] {
    let model = session.model
    let turns = conversation.request.messages.count
    return [
      "\(Count(turns, "turn")); \(model.length(of: cache.sequence)) of \(Count(contextLength, "token")) in the KV cache, "
        + "\(ByteCount(model.cacheByteCount))", "\(Count(session.teams.threadCount, "thread")), \(model.kernelsName)",
    ] + (speed.map { ["last answer: \($0)"] } ?? [])
  }

  /// Adds the user's turn and the model's reply, which is printed as it arrives.
  ///
  /// A turn is taken back if the template refuses it, if the context cannot hold it, or if it is interrupted before the model has read it.
  ///
  /// - Returns: false if the turn was taken back.
  mutating func answer(_ text: String) throws -> Bool {
    try attempt { talk throws in
      talk.conversation.append("user", text)
      return try talk.reply()
    }
  }

  /// Generates the last reply again. If nothing comes of it, the old reply stays.
  ///
  /// - Returns: false if the old reply stays.
  mutating func answerAgain() throws -> Bool {
    try attempt { talk throws in
      guard talk.conversation.removeReply() else { throw Failure("/regen: there is no answer yet") }
      return try talk.reply()
    }
  }

  /// Runs `change`, and restores the conversation if it returns false or throws.
  private mutating func attempt(_ change: (inout Talk) throws -> Bool) throws -> Bool {
    let before = conversation
    var hasChanged = false
    defer { if !hasChanged { conversation = before } }
    hasChanged = try change(&self)
    return hasChanged
  }

  /// Lets the model reply to the turns so far; false if there was no reply.
  private mutating func reply() throws -> Bool {
    guard let prompt = try fittingPrompt() else { return false }
    var generator = generator
    if let content, let allowed = try conversation.answerGrammar(for: prompt, content: content.grammar) {
      generator.constraint = AnswerConstraint(allowed, content.vocabulary)
    }
    let rest = cache.rest(of: prompt.tokens, in: session.model)
    let (model, held) = (session.model, session.model.length(of: cache.sequence))
    let progress = Progress("reading the prompt", showsBytes: false)
    var (parser, turn, display, isReading) = (conversation.parser(for: prompt), Turn(), AnswerDisplay(reasoning), true)
    func show(_ events: [TurnEvent]) {
      for event in events {
        turn.append(event)
        if report == nil { display.show(event) }
      }
    }
    report?.begin(promptTokens: prompt.tokens.count)
    let result = try generator.run(prompt: rest, sequence: cache.sequence, sampler: &sampler) {
      if isReading { progress.show(model.length(of: 0) - held, of: rest.count) }
      return Interrupt.isRequested || Output.hasFailed
    } emit: { token, text in
      if isReading { progress.finish() }
      isReading = false
      report?.add(token, text)
      show(parser.append(text.utf8))
    }
    progress.finish()
    show(parser.finish())
    if let report {
      report.add(turn)
      report.end(result, endsLine: false)
    } else {
      display.finish()
    }
    cache.note(rest + result.tokens, in: model)
    (lastResult, lastKept) = (result, held)
    guard !result.tokens.isEmpty else { return result.reason != .interrupted }
    conversation.append(reply: turn, result.tokens, to: prompt)
    if result.reason == .context { noteFullContext(session) }
    if !result.isComplete { Terminal.note("the answer is incomplete: the grammar or the schema asks for more") }
    return true
  }

  /// Returns the prompt of the turns so far. If the context cannot hold all of them, the earliest are left out.
  ///
  /// The result is nil if the context cannot hold the last turn or the template refuses it; the reason is then printed.
  private mutating func fittingPrompt() throws -> Conversation.Prompt? {
    do throws(ChatTemplateError) {
      var prompt = try conversation.prompt()
      // Leave room for an answer. Once turns must be dropped, drop enough of them that not every further turn computes the whole prompt
      // again.
      guard prompt.tokens.count + min(generator.maximumTokens ?? .max, contextLength / 4) >= contextLength else { return prompt }
      var (shorter, dropped) = (conversation, 0)
      while prompt.tokens.count > contextLength / 2 {
        let count = shorter.dropEarliest()
        if count == 0 { break }
        dropped += count
        prompt = try shorter.prompt()
      }
      guard prompt.tokens.count < contextLength else {
        refuse(ModelError.contextFull(tokens: prompt.tokens.count, contextLength: contextLength).failure.problem)
        return nil
      }
      if dropped > 0 {
        Terminal.note(
          "the context of \(Count(contextLength, "token")) is full: the earliest \(Count(dropped, "turn")) "
            + "\(dropped == 1 ? "is" : "are") left out from here on")
        conversation = shorter
      }
      return prompt
    } catch {
      guard case .refused = error else { throw error }
      refuse(error.failure.problem)
      return nil
    }
  }
}
