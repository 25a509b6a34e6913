// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF
import Tokenization

/// How a conversation is written for a model: one of the common chat templates.
///
/// A GGUF carries its template as a Jinja program. The common ones are recognised by their marks and written out here.
public enum ChatTemplate: String, Sendable, CaseIterable {
  case chatML = "chatml"
  case qwen25 = "qwen2.5"
  case llama3
  case llama31 = "llama3.1"
  case gemma
  case mistralV1 = "mistral-v1"
  case mistralV3 = "mistral-v3"
  case mistralV3Tekken = "mistral-v3-tekken"
  case mistralV7 = "mistral-v7"
  case mistralV7Tekken = "mistral-v7-tekken"
  case deepSeek2 = "deepseek2"
  case deepSeek3 = "deepseek3"
  case deepSeek31 = "deepseek3.1"
  case deepSeekR1 = "deepseek-r1"
  case glm4
  case harmony
  case kimiK2 = "kimi-k2"
  case miniMaxM2 = "minimax-m2"

  /// The names that `--template` takes, sorted.
  public static let names = allCases.map(\.rawValue).sorted()

  /// The template with this name.
  public init(named name: String) throws(ChatTemplateError) {
    guard let found = Self(rawValue: name) else { throw .unknownName(name) }
    self = found
  }

  /// The template that a GGUF asks for.
  ///
  /// - Throws: `ChatTemplateError` if it has none, or one that is not among the common ones.
  public init(metadata: GGUFMetadata) throws(ChatTemplateError) {
    guard let source = metadata.string("tokenizer.chat_template") else { throw .absent }
    guard source.utf8.count <= Self.sourceLimit else { throw .tooLong(byteCount: source.utf8.count) }
    guard let found = Self.recognised(in: source) else { throw .unrecognised }
    self = found
  }

  /// The most bytes that a GGUF's template may have: real ones have less than a twentieth of it.
  static let sourceLimit = 1 << 20

  /// Whether a GGUF's template writes the begin-of-text token itself.
  public static func writesBeginOfText(_ metadata: GGUFMetadata) -> Bool {
    guard let source = metadata.string("tokenizer.chat_template"), source.utf8.count <= sourceLimit else { return false }
    return source.utf8.firstRange(of: "bos_token".utf8) != nil
  }

  /// The template whose marks are tokens of a vocabulary, for models without a template; nil if there are no such marks.
  public static func guessed(from tokenizer: Tokenizer) -> ChatTemplate? {
    let marks: [(mark: String, template: ChatTemplate)] = [
      ("<|im_start|>", .chatML), ("<|start_header_id|>", .llama3), ("<start_of_turn>", .gemma), ("<|channel|>", .harmony),
      ("<|im_middle|>", .kimiK2), ("]~b]", .miniMaxM2), ("<｜Assistant｜>", .deepSeek3), ("<sop>", .glm4),
    ]
    return marks.first { tokenizer.hasSpecialToken($0.mark) }?.template
  }

  /// The common template that a Jinja program is, by the marks that it writes; nil if it seems to be none of them.
  public static func recognised(in source: String) -> ChatTemplate? {
    func has(_ mark: String) -> Bool { source.utf8.firstRange(of: mark.utf8) != nil }
    if has("<|im_start|>") {
      if has("<|im_sep|>") || has("<end_of_utterance>") { return nil }
      return has("You are Qwen, created by Alibaba Cloud.") ? .qwen25 : .chatML
    }
    if has("[INST]") { return mistral(has) }
    if has("[gMASK]<sop>") { return .glm4 }
    if has("<start_of_turn>") { return .gemma }
    if has("<|start_header_id|>"), has("<|end_header_id|>") { return has("Cutting Knowledge Date") ? .llama31 : .llama3 }
    if has("<|im_middle|>"), has("<|im_assistant|>") { return .kimiK2 }
    if has("]~b]"), has("[e~[") { return .miniMaxM2 }
    if has("<|start|>"), has("<|channel|>") { return .harmony }
    if has("<｜Assistant｜>"), has("<｜User｜>") {
      // 3.1 can be asked to think or not, R1 always thinks, 3 never does.
      if has("not thinking") { return .deepSeek31 }
      return has("<｜Assistant｜><think>") ? .deepSeekR1 : .deepSeek3
    }
    if has("'Assistant: ' + message['content'] + eos_token") { return .deepSeek2 }
    return nil
  }

  private static func mistral(_ has: (String) -> Bool) -> ChatTemplate? {
    if has("[SYSTEM_PROMPT]") { return has("[INST] ") ? .mistralV7 : .mistralV7Tekken }
    // Llama 2 has the same marks and another way with the system's turn.
    guard has("' [INST] ' + system_message") || has("[AVAILABLE_TOOLS]") else { return nil }
    if has(" [INST]") { return .mistralV1 }
    return has("\"[INST]\"") ? .mistralV3Tekken : .mistralV3
  }

  /// The whole prompt of a conversation, up to where the model is to reply.
  ///
  /// It is to be encoded with special tokens parsed. Marks that are written in a turn's text count as marks, too.
  ///
  /// - Parameter messages: Any number of system turns at the beginning, then the user's and the assistant's in any order.
  public func prompt(_ messages: [ChatMessage]) -> String {
    var conversation = Conversation(self, system: messages.prefix { $0.role == .system }.map(\.content).joined(separator: "\n\n"))
    var text = ""
    for message in messages.drop(while: { $0.role == .system }) {
      switch message.role {
      case .assistant: text += conversation.written(message.content)
      case .user, .system: text += conversation.turn(message.content)
      }
    }
    return text + conversation.replyCue()
  }
}

/// Why there is no chat template; each case prints as one line.
public enum ChatTemplateError: Error, Hashable, Sendable, CustomStringConvertible {
  /// No template has this name.
  case unknownName(String)
  /// The GGUF carries none.
  case absent
  /// The GGUF's is not one of those built.
  case unrecognised
  /// The GGUF's is longer than any real one.
  case tooLong(byteCount: Int)

  /// The line to print.
  public var description: String {
    let names = ChatTemplate.names.joined(separator: ", ")
    return switch self {
    case .unknownName(let name): "there is no chat template \"\(name)\"; known are: \(names)"
    case .tooLong(let byteCount):
      "the model's chat template has \(byteCount) bytes, more than \(ChatTemplate.sourceLimit); name one with --template: \(names)"
    case .absent: "the model carries no chat template; name one with --template: \(names)"
    case .unrecognised: "the model's chat template is not one of the common ones; name the nearest with --template: \(names)"
    }
  }
}
