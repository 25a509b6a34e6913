// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ChatTemplates
import Console
import Files
import Generation
import Inference
import JSON
import ModelConsole
import PackRuntime

/// A report with one line of JSON per event.
struct JSONReport: AnswerReport {
  let session: Session

  func begin(promptTokens: Int) {
    var event = JSONObject()
    event.set("schemaVersion", 1)
    event.set("event", "start")
    event.set("promptTokens", promptTokens)
    event.set("contextLength", session.model.contextLength)
    event.set("cacheByteCount", session.group.models.reduce(0) { $0 + $1.cacheByteCount })
    Output.print(event: event)
  }

  func add(_ token: Int32?, _ text: String) {
    var event = JSONObject()
    event.set("event", token == nil ? "text" : "token")
    event.set("id", token.map { Int($0) })
    event.set("text", text)
    Output.print(event: event)
  }

  var isForPrograms: Bool { true }

  /// Reports why a turn of a conversation gets no answer.
  func add(problem: String) {
    var event = JSONObject()
    event.set("event", "error")
    event.set("message", problem.oneLine)
    Output.print(event: event)
  }

  func add(_ turn: Turn) {
    var event = JSONObject()
    event.set("event", "turn")
    event.set("reasoning_content", turn.reasoning)
    event.set("content", turn.content)
    event["tool_calls"] = .array(turn.calls.map(\.document))
    Output.print(event: event)
  }

  func end(_ result: GenerationResult, endsLine: Bool) {
    var event = JSONObject()
    event.set("event", "end")
    event.set("reason", result.reason.rawValue)
    event.set("isComplete", result.isComplete)
    event.set("tokens", result.tokens.count)
    event.set("promptTokensPerSecond", result.promptRate)
    event.set("tokensPerSecond", result.decodeRate)
    event.set("constraintSeconds", result.constraintSeconds)
    if let draft = result.draft {
      event.set("steps", draft.steps)
      event.set("draftedTokens", draft.proposed)
      event.set("acceptedTokens", draft.accepted)
      event.set("acceptedPerStep", draft.acceptedPerStep)
    }
    event.set("crossedByteCount", result.promptCrossedByteCount + result.decodeCrossedByteCount)
    event.set("crossedBytesPerToken", result.crossedBytesPerToken)
    event.set("weightByteCount", session.weights.byteCount)
    event.set("activations", session.model.placements.map(\.json))
    Output.print(event: event)
  }

  func add(_ answer: BatchGenerator.Answer, to prompt: String) {
    var event = JSONObject()
    event.set("event", "answer")
    event.set("prompt", answer.prompt)
    event.set("reason", answer.reason.rawValue)
    event.set("text", answer.text)
    event.set("tokens", answer.tokenCount)
    event.set("isComplete", answer.isComplete)
    Output.print(event: event)
  }

  func end(_ batch: BatchResult) {
    var event = JSONObject()
    event.set("event", "end")
    event.set("prompts", batch.prompts)
    event.set("tokens", batch.tokens)
    event.set("tokensPerSecond", batch.rate)
    Output.print(event: event)
  }
}

extension NodeMemoryPlacement {
  fileprivate var json: JSONObject {
    var json = JSONObject()
    json.set("node", node)
    json.set("byteCount", byteCount)
    json.set("localPages", localPages)
    json.set("otherPages", otherPages)
    return json
  }
}
