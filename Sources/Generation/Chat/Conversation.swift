// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ChatTemplates
import Grammar
import JSON
import Tokenization

/// A conversation with a model as it grows, and the prompt that it is for the next reply.
///
/// The prompt is always that of the whole conversation, as the template writes it; what of it the model has computed already is found
/// by comparing tokens (`CachedSequence`). A reply is there in the model's own tokens where the template writes the same text, which can
/// be cut into tokens in more ways than one, or the same calls, which can be written in more ways than one. Where a template
/// writes something else, as it leaves out earlier thinking, the template's text counts.
public struct Conversation: Sendable {
  /// A prompt for the next reply.
  public struct Prompt: Sendable {
    /// The tokens.
    public let tokens: [Int32]
    /// The same without the model's own tokens in it.
    let plain: [Int32]
    /// The prompt's last characters, which say whether the model is thinking already.
    public let end: String
  }

  /// A reply that the model wrote.
  private struct Reply: Sendable {
    /// The number of its message.
    let message: Int
    /// The prompt that it answers, without the model's own tokens.
    let prompt: [Int32]
    /// The last characters of that prompt.
    let promptEnd: String
    /// What the model wrote, without the token that ended it.
    let tokens: [Int32]
  }

  /// How it is written.
  public let template: ChatTemplate
  private let tokenizer: Tokenizer
  private let encoder: PromptEncoder
  private let shown: Set<Int32>
  /// The turns so far, the functions that the model may call, and the template's variables.
  public private(set) var request: ChatRequest
  private var replies: [Reply] = []

  /// A conversation that may have turns already.
  public init(_ template: ChatTemplate, _ tokenizer: Tokenizer, _ request: ChatRequest = ChatRequest(messages: [])) {
    self.template = template
    self.tokenizer = tokenizer
    self.request = request
    encoder = PromptEncoder(tokenizer, template)
    shown = tokenizer.controlTokens(where: template.turnFormat.contains(mark:))
  }

  /// The control tokens whose text a parser of the model's turns has to see.
  public var turnTokens: Set<Int32> { shown }

  /// A parser for the reply to `prompt`.
  public func parser(for prompt: Prompt) -> TurnParser {
    TurnParser(format: template.turnFormat, prompt: prompt.end, tools: request.offeredTools)
  }

  /// What the reply to `prompt` may be, so that calls are forced where the request says so, arguments of strict functions keep to their
  /// schemas, and content keeps to a grammar; nil: anything.
  ///
  /// - Throws: `ChatTemplateError.badRequest` where the model's form of turns leaves no way to enforce it.
  public func answerGrammar(for prompt: Prompt, content: Grammar? = nil) throws(ChatTemplateError) -> Grammar? {
    var tools: [OfferedTool] = []
    for tool in request.offeredTools?.array ?? [] { tools.append(try OfferedTool(tool)) }
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

  /// Adds a turn that the model has not written just now.
  public mutating func append(_ message: JSONValue) { request.messages.append(message) }

  /// Adds a turn with a text.
  public mutating func append(_ role: String, _ text: String) {
    append(["role": .string(role), "content": .string(text)])
  }

  /// Adds what the model wrote.
  ///
  /// - Parameters:
  ///   - turn: What it means.
  ///   - tokens: Its tokens. A token that ended it is left out.
  ///   - prompt: What it answers.
  public mutating func append(reply turn: Turn, _ tokens: [Int32], to prompt: Prompt) {
    var tokens = tokens
    if let last = tokens.last, tokenizer.isEndOfGeneration(last) { tokens.removeLast() }
    replies.append(Reply(message: request.messages.count, prompt: prompt.plain, promptEnd: prompt.end, tokens: tokens))
    request.messages.append(turn.message)
  }

  /// Takes turns out.
  public mutating func remove(_ range: Range<Int>) {
    request.messages.removeSubrange(range)
    // A reply's prompt tells where it stands, so those after a gap no longer have one.
    replies.removeAll { $0.message >= range.lowerBound }
  }

  /// Puts the system's turn in place of the one there is; an empty text takes it out.
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

  /// Takes out the last turn if it is a reply; false if it is not.
  public mutating func removeReply() -> Bool {
    guard request.messages.last?["role"]?.string == "assistant" else { return false }
    remove(request.messages.count - 1..<request.messages.count)
    return true
  }

  /// Another conversation in the same form.
  public func with(_ request: ChatRequest) -> Conversation {
    var other = self
    other.request = request
    other.request.addsGenerationPrompt = true
    other.replies = []
    return other
  }

  /// Takes out the earliest turns, but not the system's: up to the next turn of the user.
  ///
  /// - Returns: How many turns that were; 0 if only one of the user's is left.
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

  /// The prompt of all turns.
  ///
  /// - Throws: `ChatTemplateError`, where the template refuses the conversation above all.
  public func prompt() throws(ChatTemplateError) -> Prompt {
    let pieces = try template.render(request)
    let plain = encoder.tokens(pieces)
    let end = pieces.suffix(3).map(\.text).joined().suffix(200)
    return Prompt(tokens: withOwnTokens(plain), plain: plain, end: String(end))
  }

  /// Puts the model's own tokens in the place of the template's text for its replies.
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

  /// Whether the template's text for a reply is the model's, or has the same calls and nothing else in it that differs.
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
  /// The turn as a message in OpenAI's form; `thinking` is what some templates call the reasoning.
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
  /// The call in OpenAI's form, but for its arguments, which are an object as templates want it.
  fileprivate var message: JSONValue {
    var call: JSONObject = ["type": "function", "function": ["name": .string(name), "arguments": .object(arguments)]]
    if let id { call["id"] = .string(id) }
    return .object(call)
  }
}
