import ArgumentParser
import Runtime

/// `packrun chat`: a conversation.
struct ChatCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "chat", abstract: "Talk with a model, turn by turn.",
    discussion: """
      Reads a turn from each line of standard input. The conversation is written as the model's own chat template has it, where that \
      is one of the common ones; earlier turns stay in the KV cache. Ctrl-C ends the answer, twice the program.
      """)

  @OptionGroup var model: ModelArguments
  @OptionGroup var sampling: SamplingArguments

  @Option(help: "How a conversation is written: \(ChatTemplate.names.joined(separator: ", ")).")
  var template: String?

  @Option(help: "What the model is told beforehand.")
  var system = ""

  func run() throws {
    try reportingErrors {
      let pack = try model.open()
      let tokenizer = try Tokenizer(metadata: pack.metadata)
      let template = try template.map { try ChatTemplate(named: $0) } ?? ChatTemplate(metadata: pack.metadata)
      let session = try model.session(pack)
      try tokenizer.check(embeddingRows: session.model.vocabularySize)
      Interrupt.watch()
      try talk(Conversation(template, system: system), session, tokenizer)
    }
  }

  private func talk(_ conversation: Conversation, _ session: Session, _ tokenizer: Tokenizer) throws {
    var conversation = conversation
    var generator = Generator(session.model, tokenizer)
    generator.maximumTokens = sampling.number
    generator.stopStrings = sampling.stop
    var sampler = Sampler(sampling.options, vocabularySize: session.model.vocabularySize)
    while true {
      if Terminal.inputIsTerminal { Terminal.print("> ") }
      guard let line = readLine() else { break }
      if line.isEmpty { continue }
      let tokens = conversation.ask(line, tokenizer)
      for token in tokens { sampler.accept(token) }
      let result = try generator.run(
        prompt: tokens, sampler: &sampler, isInterrupted: { Interrupt.isRequested }, emit: { _, text in Terminal.print(text) })
      Terminal.print("\n")
      Interrupt.clear()
      // The last token is not in the cache yet; where it ended the turn, the next question's beginning does so.
      if let last = result.tokens.last, result.reason != .endOfText, result.reason != .context {
        try session.model.append([last]) { _, _ in }
      }
      if session.model.length(of: 0) >= session.model.contextLength {
        Terminal.note("the context of \(session.model.contextLength) tokens is full; --ctx makes it larger")
        break
      }
    }
  }
}
