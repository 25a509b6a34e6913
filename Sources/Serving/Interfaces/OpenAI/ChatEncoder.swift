// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ChatTemplates
import Generation
import JSON

/// Writes answers as OpenAI's chat completions.
struct ChatEncoder: AnswerEncoder {
  /// One of the answers.
  private struct Choice {
    var parser: TurnParser
    var turn = Turn()
    /// Calls as they are sent, each with an id.
    var calls: [JSONValue] = []
    var probabilities: [JSONValue] = []
    /// The number of probabilities that the stream has sent.
    var sentProbabilities = 0
    var summary: AnswerSummary?
  }

  private let pack: ServedPack
  private let identity: AnswerIdentity
  private let includesUsage: Bool
  private let allowsManyCalls: Bool
  private var choices: [Choice]

  init(_ pack: ServedPack, parsers: [TurnParser], includesUsage: Bool, allowsManyCalls: Bool) {
    self.pack = pack
    self.includesUsage = includesUsage
    self.allowsManyCalls = allowsManyCalls
    identity = AnswerIdentity(prefix: "chatcmpl-", pack)
    choices = parsers.map { Choice(parser: $0) }
  }

  mutating func begin() -> [ServerSentEvent] {
    choices.indices.map { chunk($0, ["role": "assistant", "content": ""]) }
  }

  mutating func take(_ event: AnswerEvent, ofAnswer index: Int) -> [ServerSentEvent] {
    switch event {
    case .started, .read, .embedding: return []
    case .failed(let error): return [failure(.serving(error))]
    case .token(let token):
      if let probability = token.probability {
        choices[index].probabilities.append(probability.document(likeliest: token.likeliest, pack.tokenizer))
      }
      return take(choices[index].parser.append(token.text.utf8), index)
    case .finished(let summary):
      let events = take(choices[index].parser.finish(), index)
      choices[index].summary = summary
      return events + [chunk(index, JSONObject(), finish: .string(finishReason(choices[index])))]
    }
  }

  mutating func finish() -> [ServerSentEvent] {
    guard includesUsage else { return [.done] }
    var document = identity.document(object: "chat.completion.chunk")
    document["choices"] = []
    document["usage"] = usage
    document["timings"] = choices.first?.summary?.timings
    return [ServerSentEvent(.object(document)), .done]
  }

  func failure(_ error: InterfaceError) -> ServerSentEvent { ServerSentEvent(error.openAI) }

  var document: JSONValue {
    var document = identity.document(object: "chat.completion")
    document["choices"] = .array(
      choices.enumerated().map { index, choice in
        var message: JSONObject = ["role": "assistant", "content": .string(choice.turn.content)]
        if !choice.turn.reasoning.isEmpty { message["reasoning_content"] = .string(choice.turn.reasoning) }
        if !choice.calls.isEmpty {
          message["tool_calls"] = .array(choice.calls)
          if choice.turn.content.isEmpty { message["content"] = .null }
        }
        return [
          "index": .integer(Int128(index)), "message": .object(message),
          "logprobs": choice.probabilities.isEmpty ? .null : ["content": .array(choice.probabilities)],
          "finish_reason": .string(finishReason(choice)),
        ]
      })
    document["usage"] = usage
    document["timings"] = choices.first?.summary?.timings
    return .object(document)
  }

  private var usage: JSONValue { AnswerSummary.usage(choices.compactMap(\.summary), prompts: 1) }

  private func finishReason(_ choice: Choice) -> String {
    let reason = choice.summary?.finishReason ?? "stop"
    return reason == "stop" && !choice.calls.isEmpty ? "tool_calls" : reason
  }

  private mutating func take(_ events: [TurnEvent], _ index: Int) -> [ServerSentEvent] {
    events.compactMap { event in
      choices[index].turn.append(event)
      switch event {
      case .content(let text): return chunk(index, ["content": .string(text)])
      case .reasoning(let text): return chunk(index, ["reasoning_content": .string(text)])
      case .call(let call):
        let number = choices[index].calls.count
        guard allowsManyCalls || number == 0 else { return nil }
        let document = call.openAI
        choices[index].calls.append(.object(document))
        var delta = document
        delta["index"] = .integer(Int128(number))
        return chunk(index, ["tool_calls": [.object(delta)]])
      }
    }
  }

  private mutating func chunk(_ index: Int, _ delta: JSONObject, finish: JSONValue = .null) -> ServerSentEvent {
    var choice: JSONObject = ["index": .integer(Int128(index)), "delta": .object(delta), "finish_reason": finish]
    let probabilities = choices[index].probabilities[choices[index].sentProbabilities...]
    choices[index].sentProbabilities += probabilities.count
    choice["logprobs"] = probabilities.isEmpty ? .null : ["content": .array(Array(probabilities))]
    var document = identity.document(object: "chat.completion.chunk")
    document["choices"] = [.object(choice)]
    return ServerSentEvent(.object(document))
  }
}

extension ToolCall {
  /// The call in the form of chat completions, with its arguments as a text.
  fileprivate var openAI: JSONObject {
    [
      "id": .string(openAIID), "type": "function",
      "function": ["name": .string(name), "arguments": .string(argumentsText)],
    ]
  }

  /// The id of the call: the model's, or a new random one each time.
  var openAIID: String { id ?? "call_" + AnswerIdentity.randomDigits(24) }

  /// The arguments as JSON.
  var argumentsText: String { JSONValue.object(arguments).description }
}
