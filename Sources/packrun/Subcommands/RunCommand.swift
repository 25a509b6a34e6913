// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import Files
import Generation
import Glibc
import Grammar
import Inference
import ModelConsole
import PackFormat
import Tokenization

/// `packrun MODEL.pack`: continues prompts.
struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Continue a prompt (the default command).",
    discussion: """
      The prompt comes from -p, from -f, or from a pipe; a final line ending is not part of it. At a terminal, packrun asks for \
      prompts; each is answered on its own. A text may have up to \(TextInput.limit). Ctrl-C stops the answer; a second one quits. Exit \
      code 2: the input cannot be used; 3: too little memory.
      """)

  @OptionGroup var model: ModelArguments
  @OptionGroup var sampling: SamplingArguments
  @OptionGroup var drafting: DraftArguments

  @Option(name: .shortAndLong, parsing: .unconditional, help: "The prompt.")
  var prompt: String?

  @Flag(
    name: .shortAndLong, inversion: .prefixedNo, exclusivity: .chooseLast,
    help: "Interpret the escapes \\n, \\r, \\t, \\\\, \\\", \\' and \\xHH in the prompt of -p.")
  var escape = false

  @Flag(help: "Print the prompt's tokens, each with its text, on standard error.")
  var verbosePrompt = false

  @Option(name: .shortAndLong, help: "Read the prompt from this file; - is standard input.", completion: .file())
  var file: String?

  @Option(
    help: """
      Continue each line of the file as a prompt of its own, this many at a time. With a mirror, each runs within one node; otherwise \
      all nodes compute all of them.
      """)
  var parallel: Int?

  @OptionGroup var grammar: GrammarArguments

  @Option(
    help: """
      Reply to the conversation in this file: a JSON object with messages, and optionally tools, tool_choice, parallel_tool_calls, \
      documents, add_generation_prompt and chat_template_kwargs. Tool calls are printed as JSON.
      """, completion: .file())
  var request: String?

  @OptionGroup(title: "With --request") var template: TemplateArguments

  @Option(help: "With --request, how to print what the model thinks before it answers: show, dim (where there is colour), or hide.")
  var reasoning = ReasoningDisplay.dim

  @Flag(help: "Print a line of JSON for each event.")
  var json = false

  @Flag(name: .shortAndLong, help: "Print only the answer, and a line if something ends it early.")
  var quiet = false

  @Flag(help: "Continue after the model's end tokens.")
  var ignoreEos = false

  func validate() throws {
    if prompt != nil, file != nil { throw ValidationError("give -p or -f, not both") }
    if let parallel, !(1...256).contains(parallel) { throw ValidationError("--parallel must be between 1 and 256") }
    if request != nil, prompt != nil || file != nil { throw ValidationError("give --request or a prompt, not both") }
    if request == nil, template.isGiven { throw ValidationError("chat template options need --request FILE") }
    if grammar.isGiven, ignoreEos { throw ValidationError("--ignore-eos contradicts a grammar, which says where the answer ends") }
    if drafting.isGiven, parallel != nil { throw ValidationError("--parallel cannot be combined with --draft") }
    if parallel != nil, file == nil { throw ValidationError("--parallel takes its prompts from a file: add -f FILE") }
  }

  func run() throws {
    let pack = try model.open()
    // A fault in the input must show before the weights are read.
    let tokenizer = try Tokenizer(metadata: pack.metadata)
    let reply = try request.map { path throws in try RequestAnswer(conversation(path, pack, tokenizer)) }
    let content = try grammar.compiled()
    let allowed = if let reply { try reply.grammar(content: content) } else { content }
    let vocabulary = allowed.map { _ in AnswerConstraint.Vocabulary(tokenizer) }
    let constraint = if let allowed, let vocabulary { AnswerConstraint(allowed, vocabulary) } else { nil as AnswerConstraint? }
    let small = try drafting.open(tokenizer)
    let text = reply == nil ? try givenText() : nil
    if let text, text.isEmpty { throw Failure("the prompt is empty") }
    var reader = text == nil && reply == nil ? TurnReader() : nil
    let session = try model.session(
      pack, sequences: parallel ?? 1, drafts: drafting.isGiven, predicts: drafting.isOwn, isQuiet: quiet)
    try tokenizer.check(embeddingRows: session.model.vocabularySize)
    Interrupt.watch([SIGINT], endsReads: true)
    let report: any AnswerReport = json ? JSONReport(session: session) : TextReport(session: session, isQuiet: quiet)
    var generator = Generator(session.model, tokenizer)
    generator.maximumTokens = sampling.maximumTokens
    generator.stopStrings = sampling.stop
    generator.ignoresEnd = ignoreEos
    generator.constraint = constraint
    generator.drafter = try drafting.drafter(small, for: session)
    if let reply {
      var sampler = sampler(session)
      try reply.run(generator, &sampler, report, reasoning: reasoning)
    } else if let parallel, let text {
      try continueLines(
        of: text, parallel, session, generator, allowed.flatMap { grammar in vocabulary.map { (grammar, $0) } }, report)
    } else if let text {
      try answer(text, generator, session, report)
    } else {
      while !Output.hasFailed, let prompt = try reader?.next() {
        session.model.truncate(0, to: 0)
        do { try answer(prompt, generator, session, report) } catch let error as ModelError { Terminal.note(error.failure.problem) }
      }
    }
  }

  /// Returns the given prompt; nil if a person at a terminal is to be asked.
  private func givenText() throws -> String? {
    if let prompt { return try TextInput.decode(escape ? TextInput.unescape(prompt.pathBytes) : prompt.pathBytes, "-p") }
    if file == nil, StandardStream.input.isTerminal { return nil }
    return try TextInput.prompt(file ?? "-")
  }

  /// Returns the conversation of a request, for the model's template.
  private func conversation(_ path: String, _ pack: Pack, _ tokenizer: Tokenizer) throws -> Conversation {
    var request = try TemplateCommand.request(path)
    for (name, value) in try template.variables().members { request.variables[name] = value }
    return Conversation(try template.template(pack, tokenizer), tokenizer, request)
  }

  private func sampler(_ session: Session) -> Sampler {
    Sampler(sampling.options(contextLength: session.model.contextLength), vocabularySize: session.model.vocabularySize)
  }

  private func answer(_ text: String, _ generator: Generator, _ session: Session, _ report: any AnswerReport) throws {
    let tokens = generator.tokenizer.encode(text, addSpecial: true, parseSpecial: true)
    guard !tokens.isEmpty else { throw Failure("the prompt is empty") }
    if verbosePrompt { note(tokens, generator.tokenizer) }
    var sampler = sampler(session)
    report.begin(promptTokens: tokens.count)
    let result = try generator.run(
      prompt: tokens, sampler: &sampler, isInterrupted: { Interrupt.isRequested || Output.hasFailed }, emit: report.add)
    report.end(result, endsLine: true)
  }

  /// Prints the tokens of a prompt.
  private func note(_ tokens: [Int32], _ tokenizer: Tokenizer) {
    for token in tokens {
      Terminal.note("\(token) -> '\(String(decoding: tokenizer.bytes(of: token, showsControl: true), as: UTF8.self))'")
    }
  }

  private func continueLines(
    of text: String, _ parallel: Int, _ session: Session, _ alone: Generator,
    _ constraint: (Grammar, AnswerConstraint.Vocabulary)?, _ report: any AnswerReport
  ) throws {
    let tokenizer = alone.tokenizer
    // Empty lines are not prompts, but they count in line numbers.
    let numbered = text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }.enumerated().filter { !$1.isEmpty }
    let lines = numbered.map { String($0.element) }
    guard !lines.isEmpty else { throw Failure("\(file ?? "-"): there is no prompt in it") }
    let prompts = lines.map { tokenizer.encode($0, addSpecial: true, parseSpecial: true) }
    let contextLength = session.model.contextLength
    if let long = prompts.firstIndex(where: { $0.count > contextLength }) {
      let problem = ModelError.contextFull(tokens: prompts[long].count, contextLength: contextLength).failure.problem
      throw Failure("\(file ?? "-"): line \(numbered[long].offset + 1): \(problem)")
    }
    var generator = BatchGenerator(session.group, tokenizer)
    generator.maximumTokens = sampling.maximumTokens
    generator.stopStrings = sampling.stop
    generator.ignoresEnd = ignoreEos
    generator.constraint = constraint
    report.begin(promptTokens: prompts.reduce(0) { $0 + $1.count })
    var result = BatchResult(prompts: lines.count, tokens: 0, parallel: parallel, seconds: 0)
    let start = ContinuousClock.now
    try generator.run(
      prompts, sampling: sampling.options(contextLength: contextLength),
      isInterrupted: { Interrupt.isRequested || Output.hasFailed }
    ) {
      answer in
      result.tokens += answer.tokenCount
      report.add(answer, to: lines[answer.prompt])
    }
    result.seconds = (ContinuousClock.now - start) / .seconds(1)
    report.end(result)
  }
}
