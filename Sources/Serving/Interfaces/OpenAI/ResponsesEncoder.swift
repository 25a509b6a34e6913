// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ChatTemplates
import Generation
import JSON

/// Writes an answer as one of OpenAI's responses: a list of items, each with events for its beginning, its text and its end in a
/// stream.
struct ResponsesEncoder: AnswerEncoder {
  /// The open item: the model's thinking, or a message.
  private struct Open {
    let isReasoning: Bool
    let id: String
    var text = ""
  }

  private let pack: ServedPack
  private let asked: JSONObject
  private let id = "resp_" + AnswerIdentity.randomDigits(24)
  private let created = UnixTime.now
  private let allowsManyCalls: Bool
  private var parser: TurnParser
  private var items: [JSONValue] = []
  private var open: Open?
  private var calls = 0
  private var summary: AnswerSummary?
  private var events = 0

  init(_ pack: ServedPack, _ asked: JSONObject, parser: TurnParser, _ request: ChatRequest) {
    (self.pack, self.asked, self.parser) = (pack, asked, parser)
    allowsManyCalls = request.allowsManyCalls
  }

  mutating func begin() -> [ServerSentEvent] {
    [event("response.created", ["response": document]), event("response.in_progress", ["response": document])]
  }

  mutating func take(_ event: AnswerEvent, ofAnswer index: Int) -> [ServerSentEvent] {
    switch event {
    case .started, .read, .embedding: return []
    case .failed(let error): return [failure(.serving(error))]
    case .token(let token): return take(parser.append(token.text.utf8))
    case .finished(let summary):
      let sent = take(parser.finish()) + close()
      self.summary = summary
      return sent
    }
  }

  mutating func finish() -> [ServerSentEvent] {
    [event(status == "incomplete" ? "response.incomplete" : "response.completed", ["response": document])]
  }

  func failure(_ error: InterfaceError) -> ServerSentEvent {
    ServerSentEvent(
      [
        "type": "error", "code": .string(error.code ?? "server_error"), "message": .string(error.message),
        "param": error.field.map(JSONValue.string) ?? .null, "sequence_number": .integer(Int128(events)),
      ], name: "error")
  }

  private var status: String {
    guard let summary else { return "in_progress" }
    return summary.finishReason == "length" ? "incomplete" : "completed"
  }

  var document: JSONValue {
    var document: JSONObject = [
      "id": .string(id), "object": "response", "created_at": .integer(Int128(created)), "status": .string(status), "error": nil,
      "incomplete_details": status == "incomplete" ? ["reason": "max_output_tokens"] : nil, "model": .string(pack.name),
      "output": .array(items), "previous_response_id": nil, "store": false, "truncation": "disabled",
      "parallel_tool_calls": .bool(allowsManyCalls), "pack_digest": .string(pack.digest),
    ]
    for (name, value) in [
      ("instructions", nil), ("max_output_tokens", nil), ("temperature", nil), ("top_p", nil), ("metadata", [:]), ("tools", []),
      ("tool_choice", "auto"), ("text", ["format": ["type": "text"]]), ("reasoning", ["effort": nil, "summary": nil]),
    ] as [(String, JSONValue)] {
      document[name] = asked[name] ?? value
    }
    document["usage"] = usage
    return .object(document)
  }

  private var usage: JSONValue {
    guard let summary else { return .null }
    return [
      "input_tokens": .integer(Int128(summary.promptTokens)),
      "input_tokens_details": ["cached_tokens": .integer(Int128(summary.cachedTokens))],
      "output_tokens": .integer(Int128(summary.answerTokens)), "output_tokens_details": ["reasoning_tokens": 0],
      "total_tokens": .integer(Int128(summary.promptTokens + summary.answerTokens)),
    ]
  }

  // MARK: Items

  private mutating func take(_ parts: [TurnEvent]) -> [ServerSentEvent] {
    var sent: [ServerSentEvent] = []
    for part in parts {
      switch part {
      case .content(let text): sent += add(text, isReasoning: false)
      case .reasoning(let text): sent += add(text, isReasoning: true)
      case .call(let call):
        guard allowsManyCalls || calls == 0 else { continue }
        calls += 1
        sent += close() + add(call)
      }
    }
    return sent
  }

  /// The index of the open item, or of the next one.
  private var index: JSONValue { .integer(Int128(items.count)) }

  private mutating func add(_ text: String, isReasoning: Bool) -> [ServerSentEvent] {
    var sent: [ServerSentEvent] = []
    if open?.isReasoning != isReasoning {
      sent += close()
      let begun = Open(isReasoning: isReasoning, id: (isReasoning ? "rs_" : "msg_") + AnswerIdentity.randomDigits(24))
      open = begun
      sent.append(event("response.output_item.added", ["output_index": index, "item": Self.item(begun, isDone: false)]))
      sent.append(event("response.content_part.added", place(begun, ["part": Self.part(begun, "")])))
    }
    open?.text += text
    guard let open else { return sent }
    var fields = place(open, ["delta": .string(text)])
    if !isReasoning { fields["logprobs"] = [] }
    sent.append(event("response.\(Self.kind(open)).delta", fields))
    return sent
  }

  /// Ends the open item.
  private mutating func close() -> [ServerSentEvent] {
    guard let open else { return [] }
    var fields = place(open, ["text": .string(open.text)])
    if !open.isReasoning { fields["logprobs"] = [] }
    let item = Self.item(open, isDone: true)
    let sent = [
      event("response.\(Self.kind(open)).done", fields),
      event("response.content_part.done", place(open, ["part": Self.part(open, open.text)])),
      event("response.output_item.done", ["output_index": index, "item": item]),
    ]
    items.append(item)
    self.open = nil
    return sent
  }

  private mutating func add(_ call: ToolCall) -> [ServerSentEvent] {
    let arguments = JSONValue.string(call.argumentsText)
    let id = JSONValue.string("fc_" + AnswerIdentity.randomDigits(24))
    var item: JSONObject = [
      "type": "function_call", "id": id, "call_id": .string(call.openAIID),
      "name": .string(call.name), "arguments": "", "status": "in_progress",
    ]
    var sent = [event("response.output_item.added", ["output_index": index, "item": .object(item)])]
    sent.append(
      event("response.function_call_arguments.delta", ["output_index": index, "item_id": id, "delta": arguments]))
    sent.append(
      event(
        "response.function_call_arguments.done",
        ["output_index": index, "item_id": id, "name": .string(call.name), "arguments": arguments]))
    item["arguments"] = arguments
    item["status"] = "completed"
    sent.append(event("response.output_item.done", ["output_index": index, "item": .object(item)]))
    items.append(.object(item))
    return sent
  }

  private static func kind(_ open: Open) -> String { open.isReasoning ? "reasoning_text" : "output_text" }

  private static func part(_ open: Open, _ text: String) -> JSONValue {
    open.isReasoning
      ? ["type": "reasoning_text", "text": .string(text)]
      : ["type": "output_text", "text": .string(text), "annotations": [], "logprobs": []]
  }

  private static func item(_ open: Open, isDone: Bool) -> JSONValue {
    let content: JSONValue = isDone ? [part(open, open.text)] : []
    let status: JSONValue = isDone ? "completed" : "in_progress"
    return open.isReasoning
      ? ["type": "reasoning", "id": .string(open.id), "summary": [], "content": content, "status": status]
      : ["type": "message", "id": .string(open.id), "role": "assistant", "content": content, "status": status]
  }

  private func place(_ open: Open, _ fields: JSONObject) -> JSONObject {
    var all: JSONObject = ["output_index": index, "content_index": 0, "item_id": .string(open.id)]
    for member in fields.members { all[member.name] = member.value }
    return all
  }

  private mutating func event(_ name: String, _ fields: JSONObject) -> ServerSentEvent {
    var all: JSONObject = ["type": .string(name), "sequence_number": .integer(Int128(events))]
    for member in fields.members { all[member.name] = member.value }
    events += 1
    return ServerSentEvent(.object(all), name: name)
  }
}
