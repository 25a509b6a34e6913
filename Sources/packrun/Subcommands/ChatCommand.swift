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
      model's own chat template; earlier turns stay in the KV cache. Ctrl-C stops the answer; a \
      second one quits, and so does Ctrl-D.
      """)

  @OptionGroup var model: ModelArguments
  @OptionGroup var sampling: SamplingArguments
  @OptionGroup var template: TemplateArguments

  @Option(parsing: .unconditional, help: "System prompt: what the model is told before the first turn.")
  var system = ""

  @Option(help: "What the model thinks before it answers: show, dim (where there is colour), or hide.")
  var reasoning = ReasoningDisplay.dim

  func run() throws {
    let pack = try model.open()
    let tokenizer = try Tokenizer(metadata: pack.metadata)
    // Anything wrong with the template shows before the weights are read.
    var conversation = Conversation(
      try template.template(pack, tokenizer), tokenizer, ChatRequest(messages: [], variables: try template.variables()))
    conversation.setSystem(try TextInput.decode(system.pathBytes, "--system"))
    var reader = TurnReader()
    let session = try model.session(pack)
    try tokenizer.check(embeddingRows: session.model.vocabularySize)
    Interrupt.watch([SIGINT], endsReads: true)
    var talk = Talk(conversation, session, tokenizer, sampling, reasoning: reasoning)
    while !Output.hasFailed, let turn = try reader.next() { _ = try talk.answer(turn) }
  }
}
