// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Generation
import JSON

/// A request to `/v1/responses`, as described by OpenAI. It is translated to a chat completion; nothing is stored.
public enum ResponsesRequest {
  /// Fields that a chat completion has, too, under the same name.
  private static let shared = [
    "model", "temperature", "top_p", "stream", "parallel_tool_calls", "tool_choice", "seed", "stop", "presence_penalty",
    "frequency_penalty", "logit_bias", "chat_template_kwargs", "top_k", "min_p", "grammar", "json_schema", "repetition_penalty",
    "repeat_penalty", "repeat_last_n", "ignore_eos",
  ]

  /// Reads the body of a request. Unknown fields are ignored.
  public static func read(_ body: JSONValue, _ pack: ServedPack) throws(InterfaceError) -> InterfaceRequest {
    let fields = try Fields(body)
    let chat = try chatCompletion(fields)
    let asked: ChatCompletionRequest.Prepared
    do throws(InterfaceError) { asked = try ChatCompletionRequest.prepare(Fields(.object(chat)), pack) } catch {
      throw renamed(error)
    }
    let encoder = ResponsesEncoder(
      pack, fields.object, parser: asked.conversation.parser(for: asked.prompt), asked.conversation.request)
    return InterfaceRequest(requests: asked.requests, encoder: encoder, isStreamed: asked.answer.isStreamed)
  }

  /// Returns the chat completion that a request corresponds to.
  static func chatCompletion(_ fields: Fields) throws(InterfaceError) -> JSONObject {
    try fields.refuseUnsupported()
    for name in ["previous_response_id", "conversation", "prompt"] where fields[name] != nil {
      throw .unsupported(field: name, problem: "nothing is stored here; send the whole conversation as input")
    }
    if try fields.bool("background") ?? false { throw .unsupported(field: "background", problem: "answers are not kept") }
    if let truncation = try fields.string("truncation"), truncation != "disabled" {
      throw .unsupported(field: "truncation", problem: "a conversation that does not fit is refused")
    }
    if try fields.integer("top_logprobs", in: 0...20) ?? 0 > 0 {
      throw .unsupported(field: "top_logprobs", problem: "use /v1/chat/completions")
    }
    if try fields.strings("include", atMost: 64).contains("message.output_text.logprobs") {
      throw .unsupported(field: "include", problem: "has message.output_text.logprobs; use /v1/chat/completions")
    }
    var chat = JSONObject()
    for name in shared { chat[name] = fields[name] }
    chat["max_tokens"] = fields["max_output_tokens"]
    chat["messages"] = .array(try messages(fields))
    if let tools = try fields.objects("tools", atMost: ChatCompletionRequest.toolLimit) {
      chat["tools"] = .array(try tools.map { (tool) throws(InterfaceError) in try Self.tool(tool) })
    }
    if let effort = try fields.fields("reasoning")?["effort"] { chat["reasoning_effort"] = effort }
    if let format = try fields.fields("text")?["format"] {
      chat["response_format"] = format["type"] == "json_schema" ? ["type": "json_schema", "json_schema": format] : format
    }
    return chat
  }

  /// Returns an error that uses the field names of this interface.
  private static func renamed(_ error: InterfaceError) -> InterfaceError {
    func name(_ field: String) -> String {
      if field.hasPrefix("messages") { return "input" + field.dropFirst("messages".count) }
      if field == "reasoning_effort" { return "reasoning.effort" }
      let schema = "response_format.json_schema"
      if field.hasPrefix(schema) { return "text.format" + field.dropFirst(schema.count) }
      if field.hasPrefix("response_format") { return "text.format" }
      return field == "max_tokens" ? "max_output_tokens" : field
    }
    switch error {
    case .missing(let field): return .missing(field: name(field))
    case .bad(let field, let problem): return .bad(field: name(field), problem: problem)
    case .unsupported(let field, let problem): return .unsupported(field: name(field), problem: problem)
    default: return error
    }
  }

  private static func tool(_ tool: JSONObject) throws(InterfaceError) -> JSONValue {
    guard tool["type"] == "function" else {
      throw .unsupported(field: "tools", problem: "only functions are supported, not \(tool["type"]?.shortened ?? "null")")
    }
    var function = JSONObject()
    for name in ["name", "description", "parameters", "strict"] { function[name] = tool[name] }
    return ["type": "function", "function": .object(function)]
  }

  private static func messages(_ fields: Fields) throws(InterfaceError) -> [JSONValue] {
    var messages: [JSONValue] = []
    if let instructions = try fields.string("instructions") {
      messages.append(["role": "system", "content": .string(instructions)])
    }
    guard let input = fields["input"] else { throw .missing(field: "input") }
    if let text = input.string { return messages + [["role": "user", "content": .string(text)]] }
    guard let items = try fields.objects("input"), !items.isEmpty else { throw .bad(field: "input", problem: "is empty") }
    for (index, item) in items.enumerated() {
      switch item["type"]?.string ?? "message" {
      case "message": messages.append(.object(item))
      case "function_call": Self.add(item, to: &messages)
      case "function_call_output":
        guard let output = item["output"] else { throw .missing(field: "input[\(index)].output") }
        messages.append(["role": "tool", "tool_call_id": item["call_id"] ?? "", "content": output])
      // The model's thinking in an earlier turn is not part of a prompt.
      case "reasoning": break
      case let kind: throw .unsupported(field: "input[\(index)]", problem: "items of type \(kind) are not supported")
      }
    }
    return messages
  }

  /// Adds a call to the assistant's turn that it belongs to.
  private static func add(_ item: JSONObject, to messages: inout [JSONValue]) {
    let call: JSONValue = [
      "id": item["call_id"] ?? "", "type": "function",
      "function": ["name": item["name"] ?? "", "arguments": item["arguments"] ?? "{}"],
    ]
    if var last = messages.last?.object, last["role"] == "assistant" {
      last["tool_calls"] = .array((last["tool_calls"]?.array ?? []) + [call])
      messages[messages.count - 1] = .object(last)
    } else {
      messages.append(["role": "assistant", "content": "", "tool_calls": [call]])
    }
  }
}
