// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Generation
import Inference
import PackRuntime
import Tokenization

/// `packrun MODEL.pack`: continues prompts.
struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Continue a prompt (the default command).",
    discussion: """
      The prompt comes from -p, -f or a pipe (without the line end at a file's end); at a terminal it is asked for, again and again, each prompt on its own. \
      Ctrl-C ends the answer, twice the program. Exit code 2: the input cannot be used; 3: too little memory.
      """)

  @OptionGroup var model: ModelArguments
  @OptionGroup var sampling: SamplingArguments

  @Option(name: .shortAndLong, parsing: .unconditional, help: "The prompt.")
  var prompt: String?

  @Option(name: .shortAndLong, help: "Read the prompt from this file; - is standard input.", completion: .file())
  var file: String?

  @Option(
    help: """
      Continue each line of the file as a prompt of its own, so many at a time. A mirror runs each within one node; otherwise all \
      nodes compute all of them.
      """)
  var parallel: Int?

  @Flag(help: "Print a line of JSON for each event.")
  var json = false

  @Flag(help: "Print nothing but the answer, and what ends it too early.")
  var quiet = false

  @Flag(help: "Go on after the model's end tokens.")
  var ignoreEos = false

  func validate() throws {
    if prompt != nil, file != nil { throw ValidationError("Give -p or -f, not both.") }
    if let parallel, !(1...256).contains(parallel) { throw ValidationError("--parallel must be between 1 and 256.") }
    if parallel != nil, file == nil { throw ValidationError("--parallel takes its prompts from a file, -f FILE.") }
  }

  func run() throws {
    try reportingErrors {
      let pack = try model.open()
      // Whatever is wrong with the input shows before the weights are read.
      let tokenizer = try Tokenizer(metadata: pack.metadata)
      let text: String? =
        if let prompt { prompt } else if file == nil, Terminal.inputIsTerminal { nil } else { try TextInput.prompt(file ?? "-") }
      if let text, text.isEmpty { throw InputError(description: "the prompt is empty") }
      let session = try model.session(pack, sequences: parallel ?? 1, isQuiet: quiet)
      try tokenizer.check(embeddingRows: session.model.vocabularySize)
      Interrupt.watch()
      if let parallel, let text {
        try continueLines(of: text, parallel, session, tokenizer)
      } else if let text {
        try answer(text, session, tokenizer)
      } else {
        try converse(session, tokenizer)
      }
    }
  }

  /// Asks for prompts until the input ends.
  private func converse(_ session: Session, _ tokenizer: Tokenizer) throws {
    var reader = TurnReader()
    while let prompt = try reader.next() {
      session.model.truncate(0, to: 0)
      do { try answer(prompt, session, tokenizer) } catch let error as ModelError { Terminal.note(error.description) }
    }
  }

  private func answer(_ text: String, _ session: Session, _ tokenizer: Tokenizer) throws {
    let tokens = tokenizer.encode(text, addSpecial: true, parseSpecial: true)
    guard !tokens.isEmpty else { throw InputError(description: "the prompt is empty") }
    var generator = Generator(session.model, tokenizer)
    generator.maximumTokens = sampling.number
    generator.stopStrings = sampling.stop
    generator.ignoresEnd = ignoreEos
    var sampler = Sampler(sampling.options, vocabularySize: session.model.vocabularySize)
    if json { begin([tokens], session) }
    let result = try generator.run(
      prompt: tokens, sampler: &sampler, isInterrupted: { Interrupt.isRequested },
      emit: { token, text in
        guard json else { return Terminal.print(text) }
        var event = JSONLine()
        event.set("event", token == nil ? "text" : "token")
        if let token { event.set("id", Int(token)) }
        event.set("text", text)
        Terminal.print(event.text + "\n")
      })
    report(result, session)
  }

  private func begin(_ prompts: [[Int32]], _ session: Session) {
    var event = JSONLine()
    event.set("schemaVersion", 1)
    event.set("event", "start")
    event.set("promptTokens", prompts.reduce(0) { $0 + $1.count })
    event.set("contextLength", session.model.contextLength)
    event.set("cacheByteCount", session.group.models.reduce(0) { $0 + $1.cacheByteCount })
    Terminal.print(event.text + "\n")
  }

  private func report(_ result: GenerationResult, _ session: Session) {
    if json {
      var event = JSONLine()
      event.set("event", "end")
      event.set("reason", result.reason.rawValue)
      event.set("tokens", result.tokens.count)
      event.set("promptTokensPerSecond", result.promptRate)
      event.set("tokensPerSecond", result.decodeRate)
      event.set("crossedByteCount", result.promptCrossedByteCount + result.decodeCrossedByteCount)
      if let crossed = result.crossedBytesPerToken { event.set("crossedBytesPerToken", crossed) }
      event.set("weightByteCount", session.weights.byteCount)
      event.set("activations", session.model.placements.map(line))
      Terminal.print(event.text + "\n")
      return
    }
    Terminal.print("\n")
    if result.reason == .context {
      Terminal.note("the context of \(session.model.contextLength) tokens is full; --ctx makes it larger")
    }
    guard !quiet else { return }
    if session.teams.teamCount > 1 { noteNodes(result, session) }
    Terminal.note(
      "prompt \(result.promptTokens) tokens, \(fixed(result.promptRate, 1))/s; answer \(result.tokens.count) tokens, "
        + "\(fixed(result.decodeRate, 1))/s; KV cache \(ByteCount(session.model.cacheByteCount)) for "
        + "\(session.model.contextLength) tokens; \(session.teams.threadCount) threads, \(session.model.kernelsName)")
  }

  /// What the nodes had to do with each other.
  private func noteNodes(_ result: GenerationResult, _ session: Session) {
    let placements = session.model.placements
    let local = placements.reduce(0) { $0 + $1.localPages }
    let all = placements.reduce(local) { $0 + $1.otherPages }
    let list = placements.map { "\(ByteCount($0.byteCount)) on node \($0.node)" }.joined(separator: ", ")
    Terminal.note(
      "KV cache and activations: \(list); the kernel counts \(fixed(100 * Double(local) / Double(max(all, 1)), 2)) % of their pages there"
    )
    guard let crossed = result.crossedBytesPerToken else { return }
    let part = 100 * Double(crossed) / Double(max(session.weights.byteCount, 1))
    Terminal.note(
      "\(ByteCount(crossed)) crossed the nodes per token of the answer, \(fixed(part, 3)) % of the weights' \(ByteCount(session.weights.byteCount))"
    )
  }

  private func line(_ placement: NodeMemoryPlacement) -> JSONLine {
    var line = JSONLine()
    line.set("node", placement.node)
    line.set("byteCount", placement.byteCount)
    line.set("localPages", placement.localPages)
    line.set("otherPages", placement.otherPages)
    return line
  }

  private func continueLines(of text: String, _ parallel: Int, _ session: Session, _ tokenizer: Tokenizer) throws {
    // Empty lines are no prompts, but count as lines of the file.
    let numbered = text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }.enumerated().filter { !$1.isEmpty }
    let lines = numbered.map { String($0.element) }
    guard !lines.isEmpty else { throw InputError(description: "\(file ?? "-"): there is no prompt in it") }
    var generator = BatchGenerator(session.group, tokenizer)
    generator.maximumTokens = sampling.number
    generator.stopStrings = sampling.stop
    generator.ignoresEnd = ignoreEos
    let prompts = lines.map { tokenizer.encode($0, addSpecial: true, parseSpecial: true) }
    let contextLength = session.model.contextLength
    if let long = prompts.firstIndex(where: { $0.count > contextLength }) {
      let problem = ModelError.contextFull(tokens: prompts[long].count, contextLength: contextLength)
      throw InputError(description: "\(file ?? "-"): line \(numbered[long].offset + 1): \(problem)")
    }
    if json { begin(prompts, session) }
    let start = ContinuousClock().now
    var count = 0
    try generator.run(prompts, sampling: sampling.options, isInterrupted: { Interrupt.isRequested }) { answer in
      count += answer.tokenCount
      if json {
        var event = JSONLine()
        event.set("event", "answer")
        event.set("prompt", answer.prompt)
        event.set("reason", answer.reason.rawValue)
        event.set("text", answer.text)
        event.set("tokens", answer.tokenCount)
        Terminal.print(event.text + "\n")
      } else {
        Terminal.print("[\(answer.prompt + 1)] \(lines[answer.prompt])\(answer.text)\n")
      }
    }
    let rate = Double(count) / ((ContinuousClock().now - start) / .seconds(1))
    if json {
      var event = JSONLine()
      event.set("event", "end")
      event.set("prompts", lines.count)
      event.set("tokens", count)
      event.set("tokensPerSecond", rate)
      Terminal.print(event.text + "\n")
    } else if !quiet {
      let models = session.group.models
      let place = models.count > 1 ? ", each within one of \(models.count) nodes" : ""
      let cache = models.reduce(0) { $0 + $1.cacheByteCount }
      Terminal.note(
        "\(lines.count) prompts, \(count) tokens, \(fixed(rate, 1))/s in all; \(parallel) at a time\(place); KV cache "
          + "\(ByteCount(cache)) for \(parallel) × \(session.model.contextLength) tokens")
    }
  }
}
