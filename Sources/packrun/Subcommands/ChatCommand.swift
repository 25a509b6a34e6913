// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import Files
import Generation
import Glibc
import Inference
import ModelConsole
import PackFormat
import Tokenization

/// `packrun chat`: holds a conversation.
struct ChatCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "chat", abstract: "Chat with a model, turn by turn.",
    discussion: """
      Each line of standard input is a turn; a line that ends with a backslash continues on the next one. At a terminal, pasted text is \
      one turn; the arrow keys edit it and go back to earlier turns, which are kept in XDG_STATE_HOME/packrun; /help lists the commands. \
      The conversation follows the model's own chat template; earlier turns stay in the KV cache. When the context is full, the earliest \
      turns are left out. Ctrl-C stops the answer; a second one quits, and so does Ctrl-D.
      """)

  @OptionGroup var model: ModelArguments
  @OptionGroup var sampling: SamplingArguments
  @OptionGroup var drafting: DraftArguments
  @OptionGroup var template: TemplateArguments
  @OptionGroup var grammar: GrammarArguments

  @Option(parsing: .unconditional, help: "System prompt: what the model is told before the first turn.")
  var system = ""

  @Option(help: "How to print what the model thinks before it answers: show, dim (where there is colour), or hide.")
  var reasoning = ReasoningDisplay.dim

  @Flag(
    help: """
      Print a line of JSON for each event of an answer, as packrun run --request --json does. The turns must come through a pipe; a turn \
      that cannot be answered is an event, too.
      """)
  var json = false

  func run() throws {
    if json, StandardStream.input.isTerminal {
      throw Failure(
        "--json: turns come through a pipe, and standard input is a terminal; leave it out to chat", exitCode: .wrongUsage)
    }
    let pack = try model.open()
    let tokenizer = try Tokenizer(metadata: pack.metadata)
    // A fault in the template must show before the weights are read.
    var conversation = Conversation(
      try template.template(pack, tokenizer), tokenizer, ChatRequest(messages: [], variables: try template.variables()))
    conversation.setSystem(try TextInput.decode(system.pathBytes, "--system"))
    let content = try grammar.compiled()
    let reader = TurnReader(edits: true, history: LineHistory("chat-history", of: "packrun"))
    let small = try drafting.open(tokenizer)
    let session = try model.session(pack, drafts: drafting.isGiven, predicts: drafting.isOwn)
    try tokenizer.check(embeddingRows: session.model.vocabularySize)
    Interrupt.watch([SIGINT], endsReads: true)
    let drafter = try drafting.drafter(small, for: session)
    let talk = Talk(
      conversation, session, tokenizer, sampling, drafter, content: content, reasoning: reasoning,
      report: json ? JSONReport(session: session) : nil)
    var loop = ChatLoop(talk, reader)
    try loop.run()
  }
}
