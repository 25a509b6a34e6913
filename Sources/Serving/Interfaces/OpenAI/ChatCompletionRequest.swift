// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ChatTemplates
import Generation
import Grammar
import JSON

/// A request to `/v1/chat/completions`, as described by OpenAI.
public enum ChatCompletionRequest {
  /// A request whose conversation has been turned into a prompt.
  struct Prepared {
    let answer: AnswerFields
    let conversation: Conversation
    let prompt: Conversation.Prompt
    let requests: [AnswerRequest]
  }

  /// The largest number of functions that a model may be offered.
  static let toolLimit = 1024

  /// Reads the body of a request. Unknown fields are ignored.
  public static func read(_ body: JSONValue, _ pack: ServedPack) throws(InterfaceError) -> InterfaceRequest {
    let asked = try prepare(Fields(body), pack)
    let encoder = ChatEncoder(
      pack, parsers: asked.requests.map { _ in asked.conversation.parser(for: asked.prompt) },
      includesUsage: asked.answer.includesUsage, allowsManyCalls: asked.conversation.request.allowsManyCalls)
    return InterfaceRequest(requests: asked.requests, encoder: encoder, isStreamed: asked.answer.isStreamed)
  }

  /// Reads the fields of a request.
  static func prepare(_ fields: Fields, _ pack: ServedPack) throws(InterfaceError) -> Prepared {
    var answer = try AnswerFields(fields, vocabularySize: pack.tokenizer.count)
    let conversation = try pack.conversation(chatRequest(fields))
    let prompt: Conversation.Prompt
    do throws(ChatTemplateError) { prompt = try conversation.prompt() } catch { throw .template(error) }
    if answer.grammar != nil, conversation.request.toolChoice.forcesCall {
      throw .bad(field: "tool_choice", problem: "forces a call, which a grammar for the answer rules out; leave one of them out")
    }
    if let form = try responseFormat(fields) {
      if answer.grammar != nil {
        throw .bad(field: "response_format", problem: "cannot be given together with grammar or json_schema")
      }
      answer.grammar = form
    }
    answer.grammar = try conversation.grammar(for: prompt, content: answer.grammar)
    let likeliest = try fields.integer("top_logprobs", in: 0...20)
    let wantsProbabilities = try fields.bool("logprobs") ?? false
    if likeliest != nil, !wantsProbabilities { throw .bad(field: "top_logprobs", problem: "needs logprobs to be true") }
    let requests = answer.requests(prompt.tokens).map { request in
      var request = request
      request.shownControl = conversation.turnTokens
      request.likeliestCount = wantsProbabilities ? likeliest ?? 0 : nil
      return request
    }
    return Prepared(answer: answer, conversation: conversation, prompt: prompt, requests: requests)
  }

  /// Reads the conversation of a request in the form of templates.
  public static func chatRequest(_ body: JSONValue) throws(InterfaceError) -> ChatRequest { try chatRequest(Fields(body)) }

  private static func chatRequest(_ fields: Fields) throws(InterfaceError) -> ChatRequest {
    guard let messages = try fields.objects("messages") else { throw .missing(field: "messages") }
    guard !messages.isEmpty else { throw .bad(field: "messages", problem: "is empty") }
    var request = ChatRequest(messages: [])
    for (index, message) in messages.enumerated() { request.messages.append(try Self.message(message, "messages[\(index)]")) }
    request.allowsManyCalls = try fields.bool("parallel_tool_calls") ?? true
    if let choice = fields["tool_choice"] {
      do throws(ChatTemplateError) { request.toolChoice = try ToolChoice(choice) } catch {
        throw .bad(field: "tool_choice", problem: "must be none, auto, required or an object that names a function")
      }
    }
    if let tools = try fields.objects("tools", atMost: toolLimit), !tools.isEmpty {
      for tool in tools {
        guard tool["type"] ?? "function" == "function" else {
          throw .unsupported(field: "tools", problem: "only functions are supported")
        }
        guard let function = tool["function"]?.object, function["name"]?.string != nil else {
          throw .bad(field: "tools", problem: "must contain functions with names")
        }
        try check(function: function)
      }
      request.tools = .array(tools.map { .object($0) })
    }
    if let variables = try fields.fields("chat_template_kwargs")?.object {
      if let own = ChatRequest.ownVariable(in: variables) {
        throw .bad(field: "chat_template_kwargs", problem: "may not set \(own)")
      }
      request.variables = variables
    }
    request.addsGenerationPrompt = try fields.bool("add_generation_prompt") ?? true
    if let effort = try fields.word("reasoning_effort", of: efforts) { request.variables["reasoning_effort"] = .string(effort) }
    if let documents = try fields.objects("documents") { request.variables["documents"] = .array(documents.map { .object($0) }) }
    return request
  }

  /// How much a model may be asked to think.
  private static let efforts = ["none", "minimal", "low", "medium", "high", "xhigh", "max"]

  /// Throws if parts of a function have the wrong types, because a template would write them unchecked.
  static func check(function: JSONObject) throws(InterfaceError) {
    let isRight = [
      function["description"].map { $0 == .null || $0.string != nil } ?? true,
      function["parameters"].map { $0 == .null || $0.object != nil } ?? true,
      function["strict"].map { $0 == .null || $0.bool != nil } ?? true,
    ]
    guard isRight.allSatisfy({ $0 }) else {
      throw .bad(
        field: "tools", problem: "must contain functions whose description is a string, parameters an object, and strict a boolean")
    }
  }

  /// Returns a message with a single text as its content, and with objects as arguments of its calls.
  private static func message(_ message: JSONObject, _ field: String) throws(InterfaceError) -> JSONValue {
    guard let given = message["role"] else { throw .missing(field: "\(field).role") }
    guard let role = given.string else { throw .bad(field: "\(field).role", problem: "must be a string") }
    var message = message
    // Templates know the older name of this role.
    if role == "developer" { message["role"] = "system" }
    for name in ["name", "reasoning_content", "tool_call_id"] {
      guard let value = message[name], value != .null else { continue }
      guard value.string != nil else { throw .bad(field: "\(field).\(name)", problem: "must be a string") }
    }
    switch message["content"] {
    case .string?: break
    case nil, .null?:
      // Only the model itself can say nothing: while it thinks, or calls a tool.
      guard role == "assistant" else { throw .missing(field: "\(field).content") }
      message["content"] = ""
    case .array(let parts)?: message["content"] = .string(try text(of: parts, "\(field).content"))
    default: throw .bad(field: "\(field).content", problem: "must be a string or an array of parts")
    }
    guard let value = message["tool_calls"], value != .null else { return .object(message) }
    guard let calls = value.array else { throw .bad(field: "\(field).tool_calls", problem: "must be an array of calls") }
    var read: [JSONValue] = []
    for call in calls {
      guard var object = call.object, var function = object["function"]?.object, function["name"]?.string != nil else {
        throw .bad(field: "\(field).tool_calls", problem: "must contain functions with names")
      }
      var arguments: JSONValue? = function["arguments"] ?? [:]
      if let text = arguments?.string { arguments = text.isEmpty ? [:] : try? JSONValue(parsing: text) }
      guard let arguments, arguments.object != nil else {
        throw .bad(field: "\(field).tool_calls", problem: "has arguments that are not a JSON object, nor the text of one")
      }
      function["arguments"] = arguments
      object["function"] = .object(function)
      read.append(.object(object))
    }
    message["tool_calls"] = .array(read)
    return .object(message)
  }

  private static func text(of parts: [JSONValue], _ field: String) throws(InterfaceError) -> String {
    var text = ""
    for part in parts {
      switch part["type"]?.string {
      case let kind? where ["text", "input_text", "output_text", "refusal"].contains(kind):
        guard let said = part[kind == "refusal" ? kind : "text"]?.string else {
          throw .bad(field: field, problem: "must contain parts whose text is a string")
        }
        text += said
      case let kind: throw .unsupported(field: field, problem: "parts of type \(kind ?? "null") are not supported; only text is")
      }
    }
    return text
  }

  /// Returns the grammar of the answer; nil: any text. A schema that is not supported is an error.
  private static func responseFormat(_ fields: Fields) throws(InterfaceError) -> Grammar? {
    guard let format = fields["response_format"] else { return nil }
    let schema: JSONValue
    switch format["type"]?.string {
    case "text"?: return nil
    case "json_object"?: schema = format["schema"] ?? ["type": "object"]
    case "json_schema"?:
      guard let given = format["json_schema"]?["schema"] else { throw .missing(field: "response_format.json_schema.schema") }
      schema = given
    default: throw .bad(field: "response_format", problem: "must have the type text, json_object or json_schema")
    }
    return try Grammar(schema: schema, field: "response_format")
  }
}
