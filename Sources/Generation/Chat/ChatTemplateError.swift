// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ChatTemplates

/// Why a conversation cannot be turned into a prompt.
public enum ChatTemplateError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Neither the model nor this program has a template with this name.
  case unknownName(String, known: [String])
  /// The model has no template, and its vocabulary does not tell which one it needs.
  case absent(known: [String])
  /// A key of the model that should hold a template holds something else.
  case notText(key: String)
  /// The template's program is not well formed, fails, or takes too much time or memory.
  case program(JinjaError)
  /// The template refuses the conversation; the message is its author's.
  case refused(String)
  /// A built-in template has no text for this.
  case unsupported(template: String, Unwritable)
  /// The request is not valid.
  case badRequest(String)

  /// What a built-in template may have no text for.
  public enum Unwritable: Equatable, Sendable {
    case tools
    case toolCalls
    case role(String)
    case lonelySystem
    case contentThatIsNotText
  }

  init(_ error: JinjaError) { self = error.kind == .raised ? .refused(error.message) : .program(error) }

  /// The error in one line.
  public var description: String {
    switch self {
    case .unknownName(let name, let known):
      "there is no chat template \"\(name)\"; choose one of: \(known.joined(separator: ", "))"
    case .absent(let known):
      "the model has no chat template, and its vocabulary does not identify one; choose one by name: \(known.joined(separator: ", "))"
    case .notText(let key): "the model's key \(key) is not a text in UTF-8, so there is no chat template in it"
    case .program(let error): "the chat template fails: \(error)"
    case .refused(let message): "the chat template refuses the conversation: \(message)"
    case .unsupported(let template, let what): "the chat template \"\(template)\" has no form for \(what)"
    case .badRequest(let problem): "the request cannot be used: \(problem)"
    }
  }
}

extension ChatTemplateError.Unwritable: CustomStringConvertible {
  /// What it is, and what to do about it.
  public var description: String {
    switch self {
    case .tools: "tools; leave them out, or use a template that has one"
    case .toolCalls: "tool calls; use a template that has one"
    case .role(let name): "the role '\(name)'; it knows system, user and assistant"
    case .lonelySystem: "a system's turn without a user's; add one"
    case .contentThatIsNotText: "content that is not a text"
    }
  }
}
