// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ChatTemplates
import JSON

/// A chat template without a program: the texts around turns.
struct WrittenTemplate: Sendable {
  /// The texts before and after a turn.
  struct Frame: Sendable {
    var before: String
    var after: String
  }

  /// The name by which `--template` chooses it.
  var name: String
  /// A special token that only vocabularies of its models have; nil if there is none.
  var token: String?
  /// The text before a conversation, without the begin-of-text token.
  var begin = ""
  /// The frame of the system's turn. If nil, its text precedes that of the first user's turn, with a blank line between them.
  var system: Frame?
  /// The text of the system's turn if the caller has none.
  var defaultSystem: String?
  /// The frame of a user's turn.
  var user: Frame
  /// The text that makes the model reply.
  var reply: String
  /// The text before an earlier reply: `reply`, followed by what the model itself would begin with; nil if it is just `reply`.
  var written: String?
  /// The text after a reply.
  var replyEnd: String
  /// Whether white space around a turn's text is removed.
  var trims = false
  /// The name of the format in which the models write their turns.
  var turns = "plain"

  /// All texts of this template together.
  var text: String {
    ([begin, system?.before, system?.after, user.before, user.after, reply, written, replyEnd] as [String?])
      .compactMap(\.self).joined(separator: "\n")
  }

  /// Returns the prompt of a conversation.
  ///
  /// - Throws: `ChatTemplateError.unsupported` for anything the template has no text for: tools, and roles other than system, user
  ///   and assistant.
  func render(_ request: ChatRequest) throws(ChatTemplateError) -> [PromptPiece] {
    if let tools = request.offeredTools?.array, !tools.isEmpty { throw .unsupported(template: name, .tools) }
    var messages = try request.messages.map { (message) throws(ChatTemplateError) in try turn(message) }[...]
    var systems: [String] = []
    while let first = messages.first, first.role == .system {
      systems.append(first.text)
      messages.removeFirst()
    }
    var writer = Writer(self, system: systems.joined(separator: "\n\n"))
    for message in messages {
      switch message.role {
      case .assistant: writer.write(reply: message.text)
      case .user, .system: writer.write(user: message.text)
      }
    }
    writer.end(asksForReply: request.addsGenerationPrompt)
    if !writer.system.isEmpty { throw .unsupported(template: name, .lonelySystem) }
    return writer.pieces
  }

  private enum Role: String {
    case system
    case user
    case assistant
  }

  private func turn(_ message: JSONValue) throws(ChatTemplateError) -> (role: Role, text: String) {
    let name = message["role"]?.string ?? ""
    guard let role = Role(rawValue: name) else { throw .unsupported(template: self.name, .role(name)) }
    if let calls = message["tool_calls"]?.array, !calls.isEmpty { throw .unsupported(template: self.name, .toolCalls) }
    guard let content = message["content"]?.string else { throw .unsupported(template: self.name, .contentThatIsNotText) }
    return (role, trims ? Self.trimmed(content) : content)
  }

  private static func trimmed(_ text: String) -> String {
    let scalars = text.unicodeScalars
    let head = scalars.drop { $0.properties.isWhitespace }
    guard let last = head.lastIndex(where: { !$0.properties.isWhitespace }) else { return "" }
    return String(head[...last])
  }
}

/// Writes a prompt turn by turn.
private struct Writer {
  let template: WrittenTemplate
  /// The system's text until it is written.
  private(set) var system: String
  private(set) var pieces: [PromptPiece] = []
  private var hasBegun = false
  private var endsWithReply = false

  init(_ template: WrittenTemplate, system: String) {
    self.template = template
    self.system = system
  }

  mutating func write(user text: String) {
    beginTurn()
    add(template.user.before)
    if !system.isEmpty {
      add(input: system)
      add("\n\n")
      system = ""
    }
    add(input: text)
    add(template.user.after)
  }

  mutating func write(reply text: String) {
    beginTurn()
    add(template.written ?? template.reply)
    add(input: text)
    endsWithReply = true
  }

  mutating func end(asksForReply: Bool) {
    beginTurn()
    if asksForReply { add(template.reply) }
  }

  /// Ends the previous reply, if any; before the first turn, writes the beginning of the conversation.
  private mutating func beginTurn() {
    if endsWithReply { add(template.replyEnd) }
    endsWithReply = false
    guard !hasBegun else { return }
    hasBegun = true
    add(template.begin)
    guard let frame = template.system, !system.isEmpty || template.defaultSystem != nil else { return }
    add(frame.before)
    if system.isEmpty { add(template.defaultSystem ?? "") } else { add(input: system) }
    add(frame.after)
    system = ""
  }

  private mutating func add(_ text: String) { append(text, isTemplate: true) }
  private mutating func add(input text: String) { append(text, isTemplate: false) }

  private mutating func append(_ text: String, isTemplate: Bool) {
    guard !text.isEmpty else { return }
    if let last = pieces.last, last.isTemplate == isTemplate {
      pieces[pieces.count - 1] = PromptPiece(text: last.text + text, isTemplate: isTemplate)
    } else {
      pieces.append(PromptPiece(text: text, isTemplate: isTemplate))
    }
  }
}
