// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ChatTemplates
import Generation
import Grammar
import JSON

/// A request to `/v1/messages`, as described by Anthropic.
public enum MessagesRequest {
  /// Reads the body of a request. Unknown fields are ignored.
  public static func read(_ body: JSONValue, _ pack: ServedPack) throws(InterfaceError) -> InterfaceRequest {
    let fields = try Fields(body)
    guard fields["max_tokens"] != nil else { throw .missing(field: "max_tokens") }
    var answer = try AnswerFields(fields, vocabularySize: pack.tokenizer.count)
    answer.count = 1
    answer.stopStrings = try fields.strings("stop_sequences", atMost: 16)
    if let form = try outputFormat(fields) {
      if answer.grammar != nil { throw .bad(field: "grammar", problem: "cannot be given together with an output format") }
      answer.grammar = form
    }
    let (conversation, prompt) = try prompt(fields, pack)
    if conversation.request.messages.last?["role"] == "assistant" {
      throw .unsupported(
        field: "messages", problem: "the last turn is the assistant's; an answer is a turn of its own and cannot continue one")
    }
    var request = answer.requests(prompt.tokens)[0]
    request.shownControl = conversation.turnTokens
    request.grammar = try conversation.grammar(for: prompt, content: answer.grammar)
    let encoder = MessagesEncoder(pack, parser: conversation.parser(for: prompt))
    return InterfaceRequest(requests: [request], encoder: encoder, isStreamed: answer.isStreamed)
  }

  /// Returns the grammar of the answer, whose schema is in `output_config`, or where it was earlier, in `output_format`; nil: any text.
  private static func outputFormat(_ fields: Fields) throws(InterfaceError) -> Grammar? {
    let (format, former) = (try fields.fields("output_config")?["format"], fields["output_format"])
    if format != nil, former != nil {
      throw .bad(field: "output_format", problem: "cannot be given together with output_config.format")
    }
    let name = format == nil ? "output_format" : "output_config.format"
    guard let format = format ?? former else { return nil }
    guard format["type"] == "json_schema", let schema = format["schema"] else {
      throw .bad(field: name, problem: "must have the type json_schema and a schema")
    }
    return try Grammar(schema: schema, field: name)
  }

  /// Counts the tokens of a request's prompt.
  public static func countTokens(_ body: JSONValue, _ pack: ServedPack) throws(InterfaceError) -> JSONValue {
    ["input_tokens": .integer(Int128(try prompt(Fields(body), pack).prompt.tokens.count))]
  }

  private static func prompt(
    _ fields: Fields, _ pack: ServedPack
  ) throws(InterfaceError) -> (conversation: Conversation, prompt: Conversation.Prompt) {
    let conversation = try pack.conversation(chatRequest(fields))
    do throws(ChatTemplateError) { return (conversation, try conversation.prompt()) } catch { throw .template(error) }
  }

  private static func chatRequest(_ fields: Fields) throws(InterfaceError) -> ChatRequest {
    guard let messages = try fields.objects("messages") else { throw .missing(field: "messages") }
    guard !messages.isEmpty else { throw .bad(field: "messages", problem: "is empty") }
    var request = ChatRequest(messages: [])
    if let system = fields["system"] {
      request.messages.append(["role": "system", "content": .string(try text(of: system, "system"))])
    }
    for (index, message) in messages.enumerated() { request.messages += try Self.messages(message, "messages[\(index)]") }
    if let effort = try fields.fields("output_config")?.word("effort", of: ["low", "medium", "high", "xhigh", "max"]) {
      request.variables["reasoning_effort"] = .string(effort)
    }
    try choose(fields, &request)
    if let tools = try fields.objects("tools", atMost: ChatCompletionRequest.toolLimit), !tools.isEmpty {
      request.tools = .array(try tools.map { (tool) throws(InterfaceError) in try Self.tool(tool) })
    }
    if let thinking = fields["thinking"] {
      guard let type = thinking["type"]?.string, ["enabled", "adaptive", "disabled"].contains(type) else {
        throw .bad(field: "thinking", problem: "must have the type enabled, adaptive or disabled")
      }
      request.variables["enable_thinking"] = .bool(type != "disabled")
    }
    return request
  }

  /// Reads whether the model may call the functions, or must.
  private static func choose(_ fields: Fields, _ request: inout ChatRequest) throws(InterfaceError) {
    guard let choice = try fields.fields("tool_choice") else { return }
    let name = try choice.string("name")
    request.allowsManyCalls = try choice.bool("disable_parallel_tool_use") != true
    switch (choice["type"]?.string, name) {
    case ("auto"?, _): request.toolChoice = .auto
    case ("none"?, _): request.toolChoice = .none
    case ("any"?, _): request.toolChoice = .required
    case ("tool"?, let name?): request.toolChoice = .function(name)
    default: throw .bad(field: "tool_choice", problem: "must have the type auto, none, any, or tool with a name")
    }
  }

  private static func tool(_ tool: JSONObject) throws(InterfaceError) -> JSONValue {
    guard let name = tool["name"]?.string, let schema = tool["input_schema"] else {
      throw .bad(field: "tools", problem: "must contain objects with name and input_schema")
    }
    var function: JSONObject = ["name": .string(name), "description": tool["description"] ?? "", "parameters": schema]
    function["strict"] = tool["strict"]
    try ChatCompletionRequest.check(function: function)
    return ["type": "function", "function": .object(function)]
  }

  /// Whose turns blocks of a type belong to, if not to both.
  private static let authors = ["tool_use": "assistant", "thinking": "assistant", "tool_result": "user"]

  /// Returns a message in the form of templates, in which results of tools are separate messages.
  private static func messages(_ message: JSONObject, _ field: String) throws(InterfaceError) -> [JSONValue] {
    guard let role = message["role"]?.string, ["user", "assistant"].contains(role) else {
      throw .bad(field: "\(field).role", problem: "must be user or assistant")
    }
    guard let content = message["content"] else { throw .missing(field: "\(field).content") }
    guard let blocks = content.array else {
      return [["role": .string(role), "content": .string(try text(of: content, "\(field).content"))]]
    }
    var (results, calls): ([JSONValue], [JSONValue]) = ([], [])
    var (texts, reasoning) = ("", "")
    for block in blocks {
      if let type = block["type"]?.string, let author = authors[type], author != role {
        throw .bad(field: "\(field).content", problem: "has a block of type \(type), which belongs into a turn of the \(author)")
      }
      switch block["type"]?.string {
      case "text"?: texts += try string(block, "text", "\(field).content")
      case "thinking"?: reasoning += try string(block, "thinking", "\(field).content")
      case "tool_use"?:
        let name = try string(block, "name", "\(field).content")
        guard block["input"]?.object != nil || block["input"] == nil else {
          throw .bad(field: "\(field).content.input", problem: "must be an object")
        }
        calls.append([
          "id": block["id"] ?? "", "type": "function",
          "function": ["name": .string(name), "arguments": block["input"] ?? [:]],
        ])
      case "tool_result"?:
        let result = try block["content"].map { (content) throws(InterfaceError) in try text(of: content, "\(field).content") }
        results.append(["role": "tool", "tool_call_id": block["tool_use_id"] ?? "", "content": .string(result ?? "")])
      case let kind:
        throw .unsupported(field: "\(field).content", problem: "blocks of type \(kind ?? "null") are not supported")
      }
    }
    var turn: JSONObject = ["role": .string(role), "content": .string(texts)]
    if !reasoning.isEmpty { turn["reasoning_content"] = .string(reasoning) }
    if !calls.isEmpty { turn["tool_calls"] = .array(calls) }
    return results + (results.isEmpty || !texts.isEmpty ? [.object(turn)] : [])
  }

  /// Returns the string that a block of content must have under this name.
  private static func string(_ block: JSONValue, _ name: String, _ field: String) throws(InterfaceError) -> String {
    guard let value = block[name] else { throw .missing(field: "\(field).\(name)") }
    guard let string = value.string else { throw .bad(field: "\(field).\(name)", problem: "must be a string") }
    return string
  }

  /// Returns a text, or the texts of blocks on separate lines.
  private static func text(of value: JSONValue, _ field: String) throws(InterfaceError) -> String {
    if let text = value.string { return text }
    guard let blocks = value.array else { throw .bad(field: field, problem: "must be a string or an array of blocks") }
    let texts = blocks.compactMap { $0["type"]?.string == "text" ? $0["text"]?.string : nil }
    guard texts.count == blocks.count else { throw .unsupported(field: field, problem: "only text blocks are supported") }
    return texts.joined(separator: "\n")
  }
}
