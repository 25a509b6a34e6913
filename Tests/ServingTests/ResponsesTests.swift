// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ChatTemplates
import Foundation
import Generation
import JSON
import TestSupport
import Testing

@testable import Serving
@testable import Tokenization

@Suite("OpenAI's responses")
struct ResponsesTests {
  private func pack() throws -> ServedPack { try .small() }

  private func read(_ json: String) throws -> InterfaceRequest { try ResponsesRequest.read(JSONValue(parsing: json), pack()) }

  @Test("Instructions, messages, calls and their results become a prompt")
  func prompt() throws {
    let asked = try read(
      #"""
      {"instructions": "be kind", "max_output_tokens": 9, "temperature": 0, "input": [{"role": "user", "content": [{"type":
      "input_text", "text": "a"}]}, {"type": "reasoning", "summary": []}, {"type": "function_call", "call_id": "1", "name": "f",
      "arguments": "{\"x\": 42}"}, {"type": "function_call_output", "call_id": "1", "output": "c"}, {"type": "message", "role":
      "user", "content": "d"}], "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}}]}
      """#)
    let prompt = try pack().tokenizer.decode(asked.requests[0].prompt)
    #expect(prompt.hasPrefix("<system>be kind<user>a<assistant>42<tool>c<user>d<assistant>"), "\(prompt)")
    #expect(asked.requests[0].maximumTokens == 9 && asked.requests[0].sampling.temperature == 0)
    #expect(try pack().tokenizer.decode(read(#"{"input": "hello"}"#).requests[0].prompt).hasPrefix("<user>hello"))
  }

  @Test(
    "Unsupported features are refused by the name of their field",
    arguments: [
      ("input", "{}"), ("input", #"{"input": []}"#), ("previous_response_id", #"{"input": "a", "previous_response_id": "resp_1"}"#),
      ("background", #"{"input": "a", "background": true}"#), ("truncation", #"{"input": "a", "truncation": "auto"}"#),
      ("max_output_tokens", #"{"input": "a", "max_output_tokens": "x"}"#),
      ("tools", #"{"input": "a", "tools": [{"type": "web_search"}]}"#),
      ("text.format", #"{"input": "a", "text": {"format": {"type": "json_schema", "schema": {"not": {}}}}}"#),
      ("ignore_eos", #"{"input": "a", "ignore_eos": 7}"#),
      ("include", #"{"input": "a", "include": ["message.output_text.logprobs"]}"#),
      ("text.format.schema", #"{"input": "a", "text": {"format": {"type": "json_schema"}}}"#),
      ("input[0].output", #"{"input": [{"type": "function_call_output", "call_id": "1"}]}"#),
      ("input[0]", #"{"input": [{"type": "item_reference", "id": "x"}]}"#), ("temperature", #"{"input": "a", "temperature": -1}"#),
      ("input[0].content", #"{"input": [{"role": "user", "content": [{"type": "input_image"}]}]}"#),
      ("tool_choice", #"{"input": "a", "tool_choice": "required"}"#), ("text", #"{"input": "a", "text": "json"}"#),
      ("reasoning", #"{"input": "a", "reasoning": "low"}"#),
    ])
  func refusals(field: String, body: String) throws {
    var error: InterfaceError?
    do { _ = try read(body) } catch let refused as InterfaceError { error = refused }
    #expect(error?.field == field && error?.status == 400, "\(String(describing: error))")
  }

  @Test("Each item of a response is started, written and ended, and the last event has the whole response")
  func events() throws {
    let body = #"{"input": "a", "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}}]}"#
    var encoder = try read(body).encoder
    var events = encoder.begin()
    for text in ["<think>hm</think>We", "ll", #"<tool_call>{"name": "f", "arguments": {"x": 1}}</tool_call>"#] {
      events += encoder.take(.token(AnswerToken(id: 1, text: text)), ofAnswer: 0)
    }
    let summary = AnswerSummary(
      reason: .endOfText, promptTokens: 9, cachedTokens: 4, answerTokens: 3, isComplete: true, waitingSeconds: 0, promptSeconds: 1,
      answerSeconds: 2)
    events += encoder.take(.finished(summary), ofAnswer: 0) + encoder.finish()
    let documents = try events.map { try JSONValue(parsing: $0.data) }
    #expect(zip(events, documents).allSatisfy { $0.name == $1["type"]?.string })
    #expect(documents.compactMap { $0["sequence_number"]?.integer } == Array(documents.indices))
    #expect(events.first?.name == "response.created" && events.last?.name == "response.completed")
    let items = encoder.document["output"]?.array ?? []
    #expect(items.compactMap { $0["type"]?.string } == ["reasoning", "message", "function_call"])
    #expect(items[1]["content"]?.array?[0]["text"] == "Well" && items[2]["arguments"]?.string == #"{"x": 1}"#)
    #expect(documents.last?["response"]?["output"] == .array(items) && encoder.document["status"] == "completed")
    for kind in ["added", "done"] {
      let indices = documents.filter { $0["type"]?.string == "response.output_item.\(kind)" }.compactMap {
        $0["output_index"]?.integer
      }
      #expect(indices == [0, 1, 2])
    }
    #expect(documents.filter { $0["type"] == "response.output_text.delta" }.compactMap { $0["delta"]?.string }.joined() == "Well")
    #expect(encoder.document["usage"]?["input_tokens_details"]?["cached_tokens"]?.integer == 4)
    #expect(encoder.document["pack_digest"] == "00ff")
  }
}
