// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import Files
import Generation
import Glibc
import Inference
import PackFormat
import Tokenization

/// `packrun chat`: a conversation.
struct ChatCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "chat", abstract: "Chat with a model, turn by turn.",
    discussion: """
      Each line of standard input is a turn; a line that ends with a backslash continues in the next one. The conversation follows the \
      model's own chat template, where that is one of the common ones; earlier turns stay in the KV cache. Ctrl-C stops the answer; a \
      second one quits, and so does Ctrl-D.
      """)

  @OptionGroup var model: ModelArguments
  @OptionGroup var sampling: SamplingArguments

  @Option(help: "The chat template: \(ChatTemplate.names.joined(separator: ", ")).")
  var template: String?

  @Option(parsing: .unconditional, help: "System prompt: what the model is told before the first turn.")
  var system = ""

  func run() throws {
    let pack = try model.open()
    let tokenizer = try Tokenizer(metadata: pack.metadata)
    let template = try chosenTemplate(pack, tokenizer)
    var reader = TurnReader()
    let session = try model.session(pack)
    try tokenizer.check(embeddingRows: session.model.vocabularySize)
    Interrupt.watch([SIGINT], endsReads: true)
    let system = try TextInput.decode(system.pathBytes, "--system")
    let beginning = Conversation(template, system: system, writesBeginOfText: ChatTemplate.writesBeginOfText(pack.metadata))
    try talk(beginning, &reader, session, tokenizer)
  }

  /// The template asked for, else the model's own, or the one whose marks the vocabulary has.
  private func chosenTemplate(_ pack: Pack, _ tokenizer: Tokenizer) throws -> ChatTemplate {
    if let template { return try ChatTemplate(named: template) }
    do { return try ChatTemplate(metadata: pack.metadata) } catch ChatTemplateError.absent {
      guard let guessed = ChatTemplate.guessed(from: tokenizer) else { throw ChatTemplateError.absent }
      Terminal.note("the model has no chat template; using the \(guessed.rawValue) template, guessed from the vocabulary")
      return guessed
    }
  }

  private func talk(
    _ beginning: Conversation, _ reader: inout TurnReader, _ session: Session, _ tokenizer: Tokenizer
  ) throws {
    var conversation = beginning
    var generator = Generator(session.model, tokenizer)
    generator.maximumTokens = sampling.maximumTokens
    generator.stopStrings = sampling.stop
    // The marks of its channels tell the model's thinking from its answer.
    generator.showsControl = beginning.template == .harmony
    var sampler = Sampler(
      sampling.options(contextLength: session.model.contextLength), vocabularySize: session.model.vocabularySize)
    while !Output.hasFailed, let turn = try reader.next() {
      var before = conversation
      var tokens = conversation.ask(turn, tokenizer)
      if session.model.length(of: 0) > 0, session.model.length(of: 0) + tokens.count >= session.model.contextLength {
        Terminal.note("the context of \(session.model.contextLength) tokens is full: the earlier turns are left out from here on")
        session.model.truncate(0, to: 0)
        (conversation, before) = (beginning, beginning)
        tokens = conversation.ask(turn, tokenizer)
      }
      guard tokens.count < session.model.contextLength else {
        Terminal.note(ModelError.contextFull(tokens: tokens.count, contextLength: session.model.contextLength).failure.problem)
        conversation = before
        continue
      }
      let result = try generator.run(
        prompt: tokens, sampler: &sampler, isInterrupted: { Interrupt.isRequested || Output.hasFailed },
        emit: { _, text in Output.write(text) })
      Output.write("\n")
      // Interrupted before the turn was read: as if it had not been said.
      if result.reason == .interrupted, result.tokens.isEmpty { conversation = before }
      // The last token is not in the cache yet; where it ended the turn, the next question's beginning does so.
      let isFull = session.model.length(of: 0) >= session.model.contextLength
      if let last = result.tokens.last, result.reason != .endOfText, !isFull {
        try unsafe session.model.append([last]) { _, _ in }
      }
      if result.reason == .context { noteFullContext(session) }
    }
  }
}
