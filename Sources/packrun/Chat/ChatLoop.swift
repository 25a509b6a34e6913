// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Console
import Files
import Generation
import JSON
import SystemPackage

/// Reads a person's turns and lets the model answer each, until the person leaves.
struct ChatLoop: ~Copyable {
  private var talk: Talk
  private var reader: TurnReader
  /// The conversation that `/reset` returns to.
  private var beginning: Conversation

  init(_ talk: Talk, _ reader: consuming TurnReader) {
    self.talk = talk
    self.reader = reader
    beginning = talk.conversation
  }

  mutating func run() throws {
    if Terminal.isInteractive, StandardStream.input.isTerminal { Terminal.note("/help lists the commands; Ctrl-D quits") }
    while !Output.hasFailed, let line = try reader.next() {
      do {
        if let command = try SlashCommand(line) {
          if command == .quit { return }
          try perform(command)
        } else {
          noteSpeed(try talk.answer(line.hasPrefix("//") ? String(line.dropFirst()) : line))
        }
      } catch let error as any FailureConvertible where StandardStream.input.isTerminal {
        // Ending would lose a person's conversation; a pipe needs an exit code.
        talk.refuse(error.failure.problem)
      } catch let error as Failure {
        talk.refuse(error.problem)
      }
    }
  }

  private mutating func perform(_ command: SlashCommand) throws {
    switch command {
    case .help: for line in SlashCommand.helpLines { talk.print(line) }
    case .reset:
      talk.conversation = beginning
      Terminal.note("the conversation starts over")
    case .system(nil): talk.print(talk.conversation.system ?? "")
    case .system(let text?):
      talk.conversation.setSystem(text)
      beginning.setSystem(text)
    case .regenerate: noteSpeed(try talk.answerAgain())
    case .save(let path): try save(to: path)
    case .load(let path):
      var request = try TemplateCommand.request(path)
      for (name, value) in beginning.request.variables.members { request.variables[name] = value }
      talk.conversation = talk.conversation.with(request)
      Terminal.note("\(path): \(Count(talk.conversation.request.messages.count, "turn"))")
    case .stats: for line in talk.statistics { talk.print(line) }
    case .quit: break
    }
  }

  private func save(to path: String) throws {
    if try Stat.find(path, failingAs: FileError.self) != nil { throw Failure("/save \(path): it exists already; name another") }
    let text = "\(JSONValue.object(talk.conversation.request.document))\n"
    do {
      var file = try WholeFile<FileError>(path)
      try unsafe Array(text.utf8).withUnsafeBytes { bytes in try unsafe file.append(bytes) }
      try file.commit()
    } catch let error as FileError { throw error.failure }
    Terminal.note("\(path): \(Count(talk.conversation.request.messages.count, "turn"))")
  }

  private func noteSpeed(_ hasAnswered: Bool) {
    guard hasAnswered, Terminal.isInteractive, let line = talk.speed else { return }
    Terminal.note(line)
  }
}
