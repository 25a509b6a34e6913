// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ChatTemplates
import Grammar
import JSON
import Tokenization

/// A growing conversation with a model, and the prompt for its next reply.
///
/// The prompt is always that of the whole conversation, as the template writes it. `CachedSequence` finds the part that the model
/// has already computed, by comparing tokens.
///
/// An earlier reply is kept in the model's own tokens if the template writes the same text, because one text can be divided into
/// tokens in several ways. It is also kept if the template writes the same calls, because one call can be written in several ways.
/// If the template writes something else, for example without earlier thinking, its text is used.
public struct Conversation: Sendable {
  /// A prompt for the next reply.
  public struct Prompt: Sendable {
    /// The tokens of the prompt.
    public let tokens: [Int32]
    /// The tokens of the prompt as the template writes it, without the model's own tokens.
    let plain: [Int32]
    /// The last characters of the prompt, which show whether the model is already thinking.
    public let end: String
  }

  /// A reply that the model wrote.
  private struct Reply: Sendable {
    /// The index of its message.
    let message: Int
    /// The prompt that it answers, without the model's own tokens.
    let prompt: [Int32]
    /// The last characters of that prompt.
    let promptEnd: String
    /// What the model wrote, without the token that ended it.
    let tokens: [Int32]
  }

  /// The template that writes the conversation.
  public let template: ChatTemplate
  private let tokenizer: Tokenizer
  private let encoder: PromptEncoder
  private let shown: Set<Int32>
  /// The turns so far, the functions that the model may call, and the template's variables.
  public private(set) var request: ChatRequest
  private var replies: [Reply] = []

  /// Makes a conversation, which may already have turns.
  public init(_ template: ChatTemplate, _ tokenizer: Tokenizer, _ request: ChatRequest = ChatRequest(messages: [])) {
    self.template = template
    self.tokenizer = tokenizer
    self.request = request
    encoder = PromptEncoder(tokenizer, template)
    shown = tokenizer.controlTokens(where: template.turnFormat.contains(mark:))
  }

  /// The control tokens whose text a parser of the model's turns must see.
  public var turnTokens: Set<Int32> { shown }

  /// Returns a parser for the reply to `prompt`.
  public func parser(for prompt: Prompt) -> TurnParser {
    TurnParser(format: template.turnFormat, prompt: prompt.end, tools: request.offeredTools)
  }

  /// Returns the grammar of the reply to `prompt`; nil: any reply is allowed.
  ///
  /// It forces calls if the request does, keeps arguments of strict functions to their schemas, and keeps content to the grammar
  /// `content`.
  ///
  /// - Throws: `ChatTemplateError.badRequest` if this cannot be enforced in the form of the model's turns.
  public func answerGrammar(for prompt: Prompt, content: Grammar? = nil) throws(ChatTemplateError) -> Grammar? {
    var tools: [OfferedTool] = []
    var work = SchemaWork()
    for tool in request.offeredTools?.array ?? [] { tools.append(try OfferedTool(tool, within: &work)) }
    switch request.toolChoice {
    case .function(let name):
      tools.removeAll { $0.name != name }
      if tools.isEmpty { throw .badRequest("\"tool_choice\" names the function \"\(name)\", which is not in \"tools\"") }
    case .required where tools.isEmpty: throw .badRequest("\"tool_choice\" is required, but there are no \"tools\"")
    default: break
    }
    guard content != nil || request.toolChoice.forcesCall || tools.contains(where: { $0.schema != nil }) else { return nil }
    let answer = AnswerLanguage(
      format: template.turnFormat, tools: tools, choice: request.toolChoice, allowsManyCalls: request.allowsManyCalls,
      content: content)
    let language = try answer.turn(after: prompt.end)
    do throws(GrammarError) { return try Grammar(language, controlTokens: Set(shown.map(tokenizer.text))) } catch {
      throw .badRequest("the answer cannot be kept within this form: \(error)")
    }
  }

  // MARK: Turns

  /// Adds a turn that does not come from the model's last reply.
  public mutating func append(_ message: JSONValue) { request.messages.append(message) }

  /// Adds a turn with a text.
  public mutating func append(_ role: String, _ text: String) {
    append(["role": .string(role), "content": .string(text)])
  }

  /// Adds a reply that the model wrote.
  ///
  /// - Parameters:
  ///   - turn: The parsed reply.
  ///   - tokens: Its tokens. If the last one ended the reply, it is left out.
  ///   - prompt: The prompt that it answers.
  public mutating func append(reply turn: Turn, _ tokens: [Int32], to prompt: Prompt) {
    var tokens = tokens
    if let last = tokens.last, tokenizer.isEndOfGeneration(last) { tokens.removeLast() }
    replies.append(Reply(message: request.messages.count, prompt: prompt.plain, promptEnd: prompt.end, tokens: tokens))
    request.messages.append(turn.message)
  }

  /// Removes turns.
  public mutating func remove(_ range: Range<Int>) {
    request.messages.removeSubrange(range)
    // A reply is found by its prompt, so replies after a gap can no longer be found.
    replies.removeAll { $0.message >= range.lowerBound }
  }

  /// Replaces the system's turn; an empty text removes it.
  public mutating func setSystem(_ text: String) {
    if request.messages.first?["role"]?.string == "system" { request.messages.removeFirst() }
    if !text.isEmpty { request.messages.insert(["role": "system", "content": .string(text)], at: 0) }
    replies = []
  }

  /// The text of the system's turn; nil if there is none.
  public var system: String? {
    guard let first = request.messages.first, first["role"]?.string == "system" else { return nil }
    return first["content"]?.string
  }

  /// Removes the last turn if it is a reply; returns false if it is not.
  public mutating func removeReply() -> Bool {
    guard request.messages.last?["role"]?.string == "assistant" else { return false }
    remove(request.messages.count - 1..<request.messages.count)
    return true
  }

  /// Returns another conversation with the same template and vocabulary.
  public func with(_ request: ChatRequest) -> Conversation {
    var other = self
    other.request = request
    other.request.addsGenerationPrompt = true
    other.replies = []
    return other
  }

  /// Removes the earliest turns except the system's, up to the next turn of the user.
  ///
  /// - Returns: The number of turns removed; 0 if the user has only one turn left.
  public mutating func dropEarliest() -> Int {
    func role(_ index: Int) -> String? { request.messages[index]["role"]?.string }
    let indices = request.messages.indices
    guard let begin = indices.first(where: { role($0) != "system" && role($0) != "developer" }),
      let end = indices.first(where: { $0 > begin && role($0) == "user" })
    else { return 0 }
    remove(begin..<end)
    return end - begin
  }

  // MARK: Prompts

  /// Returns the prompt of all turns.
  ///
  /// - Throws: `ChatTemplateError`, most often because the template refuses the conversation.
  public func prompt() throws(ChatTemplateError) -> Prompt {
    let pieces = try template.render(request)
    let plain = encoder.tokens(pieces)
    let end = pieces.suffix(3).map(\.text).joined().suffix(200)
    return Prompt(tokens: withOwnTokens(plain), plain: plain, end: String(end))
  }

  /// Replaces the template's text for replies by the model's own tokens.
  private func withOwnTokens(_ plain: [Int32]) -> [Int32] {
    var tokens: [Int32] = []
    var position = 0
    for reply in replies {
      let begin = reply.prompt.count
      guard begin >= position, begin < plain.count, plain[..<begin].elementsEqual(reply.prompt),
        let end = plain[begin...].firstIndex(where: tokenizer.isEndOfGeneration),
        isSame(plain[begin..<end], as: reply)
      else { continue }
      tokens += plain[position..<begin]
      tokens += reply.tokens
      position = end
    }
    return tokens + plain[position...]
  }

  /// Whether the template's text for a reply equals the model's, or has the same calls and otherwise the same turn.
  private func isSame(_ tokens: ArraySlice<Int32>, as reply: Reply) -> Bool {
    let (written, own) = (text(of: tokens), text(of: reply.tokens[...]))
    if written.utf8.elementsEqual(own.utf8) { return true }
    func turn(_ text: String) -> Turn {
      TurnParser.turn(of: text, format: template.turnFormat, prompt: reply.promptEnd, tools: request.offeredTools)
    }
    let ownTurn = turn(own)
    return !ownTurn.calls.isEmpty && turn(written) == ownTurn
  }

  private func text(of tokens: ArraySlice<Int32>) -> String {
    var stream = TokenStream(tokenizer, showsControl: true)
    var text = ""
    for token in tokens { text += stream.append(token) }
    return text + stream.finish()
  }
}

extension Turn {
  /// The turn as a message in OpenAI's form. Some templates call the reasoning `thinking`.
  public var message: JSONValue {
    var message: JSONObject = ["role": "assistant", "content": .string(content)]
    if !reasoning.isEmpty {
      message["reasoning_content"] = .string(reasoning)
      message["thinking"] = .string(reasoning)
    }
    if !calls.isEmpty { message["tool_calls"] = .array(calls.map(\.message)) }
    return .object(message)
  }
}

extension ToolCall {
  /// The call in OpenAI's form, except that its arguments are an object, as templates expect.
  fileprivate var message: JSONValue {
    var call: JSONObject = ["type": "function", "function": ["name": .string(name), "arguments": .object(arguments)]]
    if let id { call["id"] = .string(id) }
    return .object(call)
  }
}
