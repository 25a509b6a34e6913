// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ChatTemplates
import Generation
import JSON

/// Writes an answer as a message of Anthropic's API.
struct MessagesEncoder: AnswerEncoder {
  private let pack: ServedPack
  private let id = "msg_" + AnswerIdentity.randomDigits(24)
  private var parser: TurnParser
  /// The complete blocks of the answer, followed by the open one.
  private var blocks: [JSONObject] = []
  private var open: (kind: String, text: String)?
  private var cachedTokens = 0
  private var summary: AnswerSummary?

  init(_ pack: ServedPack, parser: TurnParser) { (self.pack, self.parser) = (pack, parser) }

  mutating func begin() -> [ServerSentEvent] { [] }

  mutating func take(_ event: AnswerEvent, ofAnswer index: Int) -> [ServerSentEvent] {
    switch event {
    case .started(let cached):
      cachedTokens = cached
      var start = message
      start["content"] = []
      return [Self.event("message_start", ["message": .object(start)])]
    case .read, .embedding: return []
    case .failed(let error): return [failure(.serving(error))]
    case .token(let token): return take(parser.append(token.text.utf8))
    case .finished(let summary):
      self.summary = summary
      return take(parser.finish()) + close()
    }
  }

  mutating func finish() -> [ServerSentEvent] {
    [
      Self.event("message_delta", ["delta": ["stop_reason": stopReason, "stop_sequence": nil], "usage": usage]),
      Self.event("message_stop", [:]),
    ]
  }

  func failure(_ error: InterfaceError) -> ServerSentEvent { ServerSentEvent(error.anthropic, name: "error") }

  var document: JSONValue { .object(message) }

  private var message: JSONObject {
    [
      "id": .string(id), "type": "message", "role": "assistant", "model": .string(pack.name),
      "content": .array(blocks.map { .object($0) }), "stop_reason": stopReason, "stop_sequence": nil, "usage": usage,
      "pack_digest": .string(pack.digest),
    ]
  }

  private var usage: JSONValue {
    let read = summary.map { $0.promptTokens - $0.cachedTokens } ?? 0
    return [
      "input_tokens": .integer(Int128(read)), "output_tokens": .integer(Int128(summary?.answerTokens ?? 0)),
      "cache_read_input_tokens": .integer(Int128(cachedTokens)), "cache_creation_input_tokens": 0,
    ]
  }

  private var stopReason: JSONValue {
    guard let summary else { return .null }
    if summary.finishReason == "length" { return "max_tokens" }
    if blocks.contains(where: { $0["type"] == "tool_use" }) { return "tool_use" }
    return summary.reason == .stopString ? "stop_sequence" : "end_turn"
  }

  // MARK: Blocks

  private mutating func take(_ events: [TurnEvent]) -> [ServerSentEvent] {
    var sent: [ServerSentEvent] = []
    for event in events {
      switch event {
      case .content(let text): sent += add(text, kind: "text", delta: "text_delta")
      case .reasoning(let text): sent += add(text, kind: "thinking", delta: "thinking_delta")
      case .call(let call):
        sent += close()
        var block: JSONObject = [
          "type": "tool_use", "id": .string(call.id ?? "toolu_" + AnswerIdentity.randomDigits(24)), "name": .string(call.name),
          "input": [:],
        ]
        sent.append(Self.event("content_block_start", ["index": index, "content_block": .object(block)]))
        let arguments = JSONValue.object(call.arguments)
        sent.append(
          Self.event(
            "content_block_delta",
            ["index": index, "delta": ["type": "input_json_delta", "partial_json": .string(arguments.description)]]))
        sent.append(Self.event("content_block_stop", ["index": index]))
        block["input"] = arguments
        blocks.append(block)
      }
    }
    return sent
  }

  /// The index of the open block, or of the next one.
  private var index: JSONValue { .integer(Int128(blocks.count)) }

  private mutating func add(_ text: String, kind: String, delta: String) -> [ServerSentEvent] {
    var sent: [ServerSentEvent] = []
    if open?.kind != kind {
      sent += close()
      open = (kind, "")
      sent.append(Self.event("content_block_start", ["index": index, "content_block": .object(Self.block(kind, ""))]))
    }
    open?.text += text
    sent.append(
      Self.event(
        "content_block_delta", ["index": index, "delta": .object(JSONObject([("type", .string(delta)), (kind, .string(text))]))]))
    return sent
  }

  /// Ends the open block.
  private mutating func close() -> [ServerSentEvent] {
    guard let open else { return [] }
    let event = Self.event("content_block_stop", ["index": index])
    blocks.append(Self.block(open.kind, open.text))
    self.open = nil
    return [event]
  }

  private static func block(_ kind: String, _ text: String) -> JSONObject {
    var block = JSONObject([("type", .string(kind)), (kind, .string(text))])
    if kind == "thinking" { block["signature"] = "" }
    return block
  }

  private static func event(_ name: String, _ fields: JSONObject) -> ServerSentEvent {
    ServerSentEvent(.object(JSONObject([("type", .string(name))] + fields.members.map { ($0.name, $0.value) })), name: name)
  }
}

extension InterfaceError {
  /// The error as Anthropic's clients read it.
  public var anthropic: JSONValue {
    let type =
      switch status {
      case 401: "authentication_error"
      case 404: "not_found_error"
      case 413: "request_too_large"
      case 429: "rate_limit_error"
      case 503: "overloaded_error"
      case 500: "api_error"
      default: "invalid_request_error"
      }
    return ["type": "error", "error": ["type": .string(type), "message": .string(message)]]
  }
}
