// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ChatTemplates
import Foundation
import Generation
import JSON
import TestSupport
import Testing

@testable import Serving
@testable import Tokenization

@Suite("Requests and answers as clients write and read them")
struct InterfaceTests {
  private func pack() throws -> ServedPack { try .small() }

  private func chat(_ fields: String) throws -> InterfaceRequest {
    let body = #"{"messages": [{"role": "user", "content": "hello"}]"# + (fields.isEmpty ? "" : ", " + fields) + "}"
    return try ChatCompletionRequest.read(JSONValue(parsing: body), pack())
  }

  private func refusal(_ body: () throws -> InterfaceRequest) -> InterfaceError? {
    do { _ = try body() } catch { return error as? InterfaceError }
    return nil
  }

  @Test("Options arrive where they belong, and unknown ones are ignored")
  func options() throws {
    let asked = try chat(
      #"""
      "temperature": 0.25, "top_p": 0.5, "top_k": 7, "min_p": 0.1, "seed": 11, "max_tokens": 5, "max_completion_tokens": 6, "n": 2,
      "stop": "x", "presence_penalty": 1, "frequency_penalty": -1, "repeat_penalty": 1.5, "logit_bias": {"5": -100, "6": 2},
      "logprobs": true, "top_logprobs": 4, "stream": true, "user": "me", "made_up": {"a": 1}, "ignore_eos": true
      """#)
    #expect(asked.requests.count == 2 && asked.isStreamed)
    let request = asked.requests[0]
    #expect(request.sampling.temperature == 0.25 && request.sampling.topP == 0.5 && request.sampling.topK == 7)
    #expect(request.sampling.minP == 0.1 && request.sampling.seed == 11 && asked.requests[1].sampling.seed == 12)
    #expect(request.maximumTokens == 6 && request.stopStrings == ["x"] && request.ignoresEnd && request.likeliestCount == 4)
    #expect(request.sampling.presencePenalty == 1 && request.sampling.frequencyPenalty == -1)
    #expect(request.sampling.repetitionPenalty == 1.5 && request.sampling.logitBias == [5: -.infinity, 6: 2])
    let plain = try chat(#""temperature": null, "stop": null, "max_tokens": -1"#).requests[0]
    #expect(plain.sampling.temperature == SamplingOptions().temperature && plain.maximumTokens == nil)
  }

  @Test(
    "An unusable value is refused by the name of its field",
    arguments: [
      ("temperature", #""temperature": -0.1"#), ("temperature", #""temperature": "hot""#), ("top_p", #""top_p": 1.01"#),
      ("top_k", #""top_k": 1.5"#), ("min_p", #""min_p": 2"#), ("n", #""n": 0"#), ("n", #""n": 17"#), ("seed", #""seed": 1.5"#),
      ("max_tokens", #""max_tokens": 0"#), ("max_tokens", #""max_tokens": "many""#), ("stop", #""stop": [1]"#),
      ("logit_bias", #""logit_bias": {"5": 101}"#), ("logit_bias", #""logit_bias": []"#), ("stream", #""stream": 1"#),
      ("top_logprobs", #""top_logprobs": 2"#), ("top_logprobs", #""logprobs": true, "top_logprobs": 21"#),
      ("response_format", #""response_format": {"type": "xml"}"#),
      (
        "response_format",
        #""response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "array", "uniqueItems": true}}}"#
      ),
      ("response_format.json_schema.schema", #""response_format": {"type": "json_schema"}"#),
      ("tool_choice", #""tools": [{"function": {"name": "f"}}], "tool_choice": "always""#), ("tools", #""tools": [{}]"#),
      ("tools", #""tools": [{"type": "web_search"}]"#), ("tools", #""tools": [{"function": {"name": "f", "description": 1}}]"#),
      ("tools", #""tools": [{"function": {"name": "f", "parameters": []}}]"#), ("documents", #""documents": [1]"#),
      ("stream_options", #""stream_options": []"#), ("logit_bias", #""logit_bias": {"-1": 2}"#),
      ("messages[0].tool_calls", #""messages": [{"role": "assistant", "tool_calls": [{"function": {}}]}]"#),
      ("messages[0].reasoning_content", #""messages": [{"role": "assistant", "reasoning_content": {}}]"#),
      ("tool_choice", #""tool_choice": "required""#),
      ("tool_choice", #""tools": [{"function": {"name": "f"}}], "tool_choice": {"type": "function", "function": {"name": "g"}}"#),
      (
        "tools",
        #""tools": [{"function": {"name": "f", "strict": true, "parameters": {"type": "object", "patternProperties": {}}}}]"#
      ),
      ("tools", #""tools": [{"function": {"name": "f", "strict": true, "parameters": {"type": "string"}}}]"#),
      ("grammar", #""grammar": "root ::= other""#), ("chat_template_kwargs", #""chat_template_kwargs": {"messages": []}"#),
      ("messages", #""messages": []"#), ("messages", #""messages": ["x"]"#), ("messages[0].role", #""messages": [{}]"#),
      ("messages[0].content", #""messages": [{"role": "user", "content": [{"type": "image_url"}]}]"#),
      ("messages[0].content", #""messages": [{"role": "user", "content": [{"type": "text", "text": 1}]}]"#),
      ("messages[0].tool_calls", #""messages": [{"role": "assistant", "tool_calls": {}}]"#),
      ("messages[0].tool_calls", #""messages": [{"role": "assistant", "tool_calls": [{"function": {"arguments": "["}}]}]"#),
      ("stop", #""stop": """#), ("stop", #""stop": ["a", ""]"#), ("model", #""model": 5"#), ("max_tokens", #""max_tokens": -2"#),
      ("max_completion_tokens", #""max_completion_tokens": 0"#), ("n_predict", #""n_predict": "all""#),
      ("logit_bias", #""logit_bias": {"100000": 2}"#), ("reasoning_effort", #""reasoning_effort": "ultra""#),
      ("messages[0].content", #""messages": [{"role": "user"}]"#),
      ("messages[0].role", #""messages": [{"role": 5, "content": "a"}]"#),
      ("chat_template_kwargs", #""chat_template_kwargs": 5"#),
      ("json_schema", #""json_schema": {"type": "array", "uniqueItems": true}"#),
      ("json_schema", #""json_schema": 5"#), ("grammar", #""json_schema": {}, "grammar": "root ::= \"a\"""#),
      ("tool_choice", #""tools": [{"function": {"name": "f"}}], "tool_choice": "required", "grammar": "root ::= \"a\"""#),
      ("logit_bias", #""logit_bias": {"05": 2}"#),
      (
        "messages[0].tool_calls",
        #""messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": 5}}]}]"#
      ),
      ("response_format", #""json_schema": {}, "response_format": {"type": "json_object"}"#),
    ])
  func refusals(field: String, fields: String) throws {
    let error = try #require(refusal { try chat(fields) })
    #expect(error.field == field && error.status == 400 && error.message.contains(field))
    #expect(error.openAI["error"]?["param"] == .string(field))
  }

  @Test(
    "What would change an answer and is not supported is refused by name, unless its value turns it off",
    arguments: [
      (#""functions": [{"name": "f"}]"#, #""functions": []"#), (#""function_call": {"name": "f"}"#, #""function_call": "auto""#),
      (#""modalities": ["audio"]"#, #""modalities": ["text"]"#), (#""audio": {"voice": "x"}"#, #""audio": null"#),
      (#""mirostat": 2"#, #""mirostat": 0"#), (#""typical_p": 0.5"#, #""typical_p": 1.0"#),
      (#""dry_multiplier": 0.8"#, #""dry_multiplier": 0"#),
      (#""guided_json": {}"#, #""guided_json": null"#), (#""min_tokens": 5"#, #""min_tokens": 0"#),
      (#""lora": [{"id": 0}]"#, #""lora": []"#),
      (#""stop_token_ids": [1]"#, #""stop_token_ids": []"#), (#""use_beam_search": true"#, #""use_beam_search": false"#),
      (#""enable_thinking": false"#, #""enable_thinking": null"#),
    ])
  func unsupported(on: String, off: String) throws {
    let error = try #require(refusal { try chat(on) })
    #expect(error.status == 400 && error.code == "unsupported_value" && on.contains(error.field ?? "none"), "\(error.message)")
    #expect(refusal { try chat(off) } == nil)
  }

  @Test("A schema keeps an answer within it, wherever a client writes it")
  func schemas() throws {
    #expect(try chat(#""json_schema": {"type": "integer"}"#).requests[0].grammar != nil)
    for field in [#""output_config": {"format": FORM}"#, #""output_format": FORM"#] {
      func messages(_ form: String) throws -> InterfaceRequest {
        let body = #"{"max_tokens": 1, "messages": [{"role": "user", "content": "a"}], "#
        return try MessagesRequest.read(JSONValue(parsing: body + field.replacing("FORM", with: form) + "}"), pack())
      }
      #expect(try messages(#"{"type": "json_schema", "schema": {"type": "integer"}}"#).requests[0].grammar != nil)
      for bad in ["{}", "5", #"{"type": "json_schema"}"#, #"{"type": "json_schema", "schema": {"uniqueItems": true}}"#] {
        let error = refusal { try messages(bad) }
        #expect(error?.status == 400 && error?.field?.hasPrefix("output_") == true, "\(bad)")
      }
    }
  }

  @Test("A template that asks for the present gets the date of the request")
  func date() throws {
    var pack = try pack()
    pack.template = .success(try ChatTemplate(source: "{{ strftime_now('%Y-%m-%d') }} {{ messages[0].content }}"))
    let body = try JSONValue(parsing: #"{"messages": [{"role": "user", "content": "a"}]}"#)
    #expect(try TextRequest.applyTemplate(body, pack)["prompt"] == "2026-03-01 a")
    #expect(
      try pack.tokenizer.decode(MessagesRequest.read(["max_tokens": 1, "messages": body["messages"]!], pack).requests[0].prompt)
        .contains("2026-03-01"))
  }

  @Test("Tools and roles for which a template has no form are refused with their field")
  func noForm() throws {
    var pack = try pack()
    pack.template = .success(try ChatTemplate(builtIn: "gemma"))
    for (field, fields) in [
      ("tools", #""messages": [{"role": "user", "content": "a"}], "tools": [{"function": {"name": "f"}}]"#),
      ("messages", #""messages": [{"role": "tool", "content": "a"}]"#),
    ] {
      let error = refusal { try ChatCompletionRequest.read(JSONValue(parsing: "{\(fields)}"), pack) }
      #expect(error?.field == field && error?.status == 400)
    }
  }

  @Test("Contents become texts, arguments become objects, and the developer role becomes the system")
  func messages() throws {
    let body = try JSONValue(
      parsing: #"""
        {"messages": [{"role": "developer", "content": "be kind"}, {"role": "user", "content": [{"type": "text", "text": "a"},
        {"type": "text", "text": "b"}]}, {"role": "assistant", "content": null, "tool_calls": [{"id": "1", "function":
        {"name": "f", "arguments": "{\"x\": \"42\"}"}}]}]}
        """#)
    let prompt = try TextRequest.applyTemplate(body, pack())["prompt"]?.string
    #expect(prompt?.hasPrefix("<system>be kind<user>ab<assistant>42<assistant>") == true, "\(prompt ?? "")")
  }

  @Test("A forced call and strict arguments become a grammar of calls; without them an answer is free")
  func forcedCalls() throws {
    let tools = #""tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]"#
    #expect(try chat(tools).requests[0].grammar == nil)
    #expect(try chat(tools + #", "tool_choice": "none", "response_format": {"type": "text"}"#).requests[0].grammar == nil)
    for choice in [#""required""#, #"{"type": "function", "function": {"name": "f"}}"#] {
      #expect(try chat(tools + #", "tool_choice": \#(choice)"#).requests[0].grammar != nil)
    }
    let strict = #""tools": [{"function": {"name": "f", "strict": true, "parameters": {"type": "object", "properties": {}}}}]"#
    #expect(try chat(strict).requests[0].grammar != nil)
    #expect(try chat(tools + #", "response_format": {"type": "json_object"}"#).requests[0].grammar != nil)
  }

  private func summary(_ reason: StopReason, isComplete: Bool = true) -> AnswerSummary {
    AnswerSummary(
      reason: reason, promptTokens: 9, cachedTokens: 4, answerTokens: 3, isComplete: isComplete, waitingSeconds: 0,
      promptSeconds: 1,
      answerSeconds: 2)
  }

  /// Returns the document of an answer, and the deltas of its stream.
  private func encode(
    _ texts: [String], _ summary: AnswerSummary, _ fields: String = ""
  ) throws -> (document: JSONValue, deltas: [JSONValue]) {
    var encoder = try chat(fields).encoder
    var events = encoder.begin()
    for text in texts { events += encoder.take(.token(AnswerToken(id: 1, text: text)), ofAnswer: 0) }
    events += encoder.take(.finished(summary), ofAnswer: 0)
    events += encoder.finish()
    #expect(events.last == .done)
    let documents = try events.dropLast().map { try JSONValue(parsing: $0.data) }
    return (encoder.document, documents.compactMap { $0["choices"]?.array?.first?["delta"] })
  }

  @Test("What a model thinks, says and calls arrives in separate fields, complete or as a stream")
  func turn() throws {
    let texts = ["<think>hm", "m</think>Well", ", now: <tool_", #"call>{"name": "f", "arguments": {"x": 1}}</tool_call>"#]
    let tools = #""tools": [{"type": "function", "function": {"name": "f"}}]"#
    let (document, deltas) = try encode(texts, summary(.endOfText), tools)
    let choice = try #require(document["choices"]?.array?.first)
    let message = try #require(choice["message"])
    #expect(message["reasoning_content"]?.string == "hmm" && message["content"]?.string == "Well, now:")
    let call = try #require(message["tool_calls"]?.array?.first)
    #expect(call["function"]?["name"]?.string == "f" && call["function"]?["arguments"]?.string == #"{"x": 1}"#)
    #expect(call["id"]?.string?.isEmpty == false && choice["finish_reason"]?.string == "tool_calls")
    #expect(document["system_fingerprint"]?.string == "pack-00ff")
    #expect(document["usage"]?["prompt_tokens_details"]?["cached_tokens"]?.integer == 4)
    #expect(document["usage"]?["total_tokens"]?.integer == 12)
    func joined(_ field: String) -> String { deltas.compactMap { $0[field]?.string }.joined() }
    #expect(joined("content") == "Well, now:" && joined("reasoning_content") == "hmm")
    let calls = deltas.compactMap { delta in delta["tool_calls"]?.array?.first }
    let streamed = try #require(calls.first)
    #expect(streamed["index"]?.integer == 0 && streamed["id"] == call["id"] && streamed["function"] == call["function"])
  }

  @Test("With parallel_tool_calls false there is at most one call")
  func oneCall() throws {
    let call = #"<tool_call>{"name": "f", "arguments": {}}</tool_call>"#
    let tools = #""tools": [{"type": "function", "function": {"name": "f"}}]"#
    func calls(_ fields: String) throws -> Int? {
      try encode([call, call], summary(.endOfText), fields).document["choices"]?.array?[0]["message"]?["tool_calls"]?.array?.count
    }
    #expect(try calls(tools) == 2 && calls(tools + #", "parallel_tool_calls": false"#) == 1)
  }

  @Test("Only a complete answer ends with stop")
  func reasons() throws {
    func reason(_ summary: AnswerSummary) throws -> String? {
      try encode(["x"], summary).document["choices"]?.array?[0]["finish_reason"]?.string
    }
    #expect(try reason(summary(.endOfText)) == "stop" && reason(summary(.stopString)) == "stop")
    #expect(try reason(summary(.length)) == "length" && reason(summary(.context)) == "length")
    #expect(try reason(summary(.stopString, isComplete: false)) == "length" && reason(summary(.noToken)) == "length")
  }

  @Test("Completions accept texts, tokens and arrays of them, and nothing else")
  func completions() throws {
    func prompts(_ json: String) throws -> [[Int32]] {
      try CompletionRequest.read(JSONValue(parsing: #"{"prompt": \#(json)}"#), pack()).requests.map(\.prompt)
    }
    let hello = try prompts(#""hello""#)
    #expect(hello.count == 1 && !hello[0].isEmpty)
    #expect(try prompts(#"["hello", "hello"]"#) == hello + hello)
    #expect(try prompts("[1, 2]") == [[1, 2]] && prompts("[[1], [2, 3]]") == [[1], [2, 3]])
    for bad in ["null", "{}", "[]", "[null]", "[1, \"a\"]", "3", "[[]]", "[-1]", "[99999999999]", "[[1], [100000]]"] {
      let error = refusal { try CompletionRequest.read(JSONValue(parsing: #"{"prompt": \#(bad)}"#), pack()) }
      #expect(error?.field == "prompt", "\(bad)")
    }
    for field in [#""echo": true"#, #""suffix": "x""#, #""best_of": 2"#] {
      let error = refusal { try CompletionRequest.read(JSONValue(parsing: #"{"prompt": "a", \#(field)}"#), pack()) }
      #expect(error?.status == 400, "\(field)")
    }
  }

  @Test("Events of a stream are lines that no text can break")
  func events() throws {
    let event = ServerSentEvent(["text": "a\nb\r\n\u{2028}"], name: "delta")
    #expect(event.text == "event: delta\ndata: {\"text\":\"a\\nb\\r\\n\u{2028}\"}\n\n")
    #expect(ServerSentEvent.done.text == "data: [DONE]\n\n")
  }

  @Test("An Anthropic message becomes a prompt, and the answer becomes its blocks, complete or as a stream")
  func anthropicMessages() throws {
    let body = try JSONValue(
      parsing: #"""
        {"system": [{"type": "text", "text": "be kind"}], "max_tokens": 9, "stop_sequences": ["x"], "temperature": 0, "tools":
        [{"name": "f", "input_schema": {"type": "object"}}], "messages": [{"role": "user", "content": "a"}, {"role": "assistant",
        "content": [{"type": "text", "text": "b"}, {"type": "tool_use", "id": "1", "name": "f", "input": {"x": 42}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "c"}, {"type": "text", "text": "d"}]}]}
        """#)
    let asked = try MessagesRequest.read(body, pack())
    let prompt = try pack().tokenizer.decode(asked.requests[0].prompt)
    #expect(prompt.contains("<system>be kind<user>a<assistant>b42<tool>c<user>d<assistant>"), "\(prompt)")
    #expect(asked.requests[0].maximumTokens == 9 && asked.requests[0].stopStrings == ["x"])
    #expect(try MessagesRequest.countTokens(body, pack())["input_tokens"]?.integer == asked.requests[0].prompt.count)

    var encoder = asked.encoder
    var events = encoder.begin() + encoder.take(.started(cached: 4), ofAnswer: 0)
    for text in ["<think>hm</think>We", "ll", #"<tool_call>{"name": "f", "arguments": {"x": 1}}</tool_call>"#] {
      events += encoder.take(.token(AnswerToken(id: 1, text: text)), ofAnswer: 0)
    }
    events += encoder.take(.finished(summary(.endOfText)), ofAnswer: 0) + encoder.finish()
    let kinds = encoder.document["content"]?.array?.compactMap { $0["type"]?.string }
    #expect(kinds == ["thinking", "text", "tool_use"] && encoder.document["stop_reason"] == "tool_use")
    #expect(encoder.document["content"]?.array?[1]["text"] == "Well")
    #expect(encoder.document["content"]?.array?[2]["input"] == ["x": 1])
    #expect(encoder.document["usage"]?["input_tokens"]?.integer == 5)
    #expect(encoder.document["usage"]?["cache_read_input_tokens"]?.integer == 4)
    #expect(events.first?.name == "message_start" && events.last?.name == "message_stop")
    let documents = try events.map { try JSONValue(parsing: $0.data) }
    #expect(zip(events, documents).allSatisfy { $0.name == $1["type"]?.string })
    let starts = documents.filter { $0["type"] == "content_block_start" }
    #expect(starts.compactMap { $0["index"]?.integer } == [0, 1, 2])
    #expect(documents.compactMap { $0["delta"]?["text"]?.string }.joined() == "Well")
    let stops = documents.filter { $0["type"] == "content_block_stop" }
    #expect(stops.compactMap { $0["index"]?.integer } == [0, 1, 2])
  }

  @Test(
    "Anthropic requests are refused by the name of the field, in the form that its clients read",
    arguments: [
      ("max_tokens", #"{"messages": [{"role": "user", "content": "a"}]}"#), ("messages", #"{"max_tokens": 1}"#),
      ("messages[0].role", #"{"max_tokens": 1, "messages": [{"role": "system", "content": "a"}]}"#),
      ("messages[0].content", #"{"max_tokens": 1, "messages": [{"role": "user", "content": [{"type": "image"}]}]}"#),
      ("messages[0].content.text", #"{"max_tokens": 1, "messages": [{"role": "user", "content": [{"type": "text", "text": 1}]}]}"#),
      (
        "messages[0].content.name",
        #"""
        {"max_tokens": 1, "messages": [{"role": "assistant", "content": [{"type": "tool_use"}]}, {"role": "user", "content": "a"}]}
        """#
      ),
      ("tool_choice", #"{"max_tokens": 1, "messages": [{"role": "user", "content": "a"}], "tool_choice": {"type": "any"}}"#),
      ("tool_choice", #"{"max_tokens": 1, "messages": [{"role": "user", "content": "a"}], "tool_choice": {"type": "all"}}"#),
      ("tool_choice", #"{"max_tokens": 1, "messages": [{"role": "user", "content": "a"}], "tool_choice": "auto"}"#),
      ("name", #"{"max_tokens": 1, "messages": [{"role": "user", "content": "a"}], "tool_choice": {"type": "auto", "name": 1}}"#),
      (
        "disable_parallel_tool_use",
        #"""
        {"max_tokens": 1, "messages": [{"role": "user", "content": "a"}],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": {}}}
        """#
      ),
      (
        "tools",
        #"{"max_tokens": 1, "messages": [{"role": "user", "content": "a"}], "tools": [{"name": "f", "input_schema": "any"}]}"#
      ),
      ("messages", #"{"max_tokens": 1, "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}"#),
      (
        "messages[0].content",
        #"{"max_tokens": 1, "messages": [{"role": "user", "content": [{"type": "tool_use", "id": "1", "name": "f", "input": {}}]}]}"#
      ),
      (
        "messages[0].content.input",
        #"""
        {"max_tokens": 1, "messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "f", "input": 5}]},
        {"role": "user", "content": "a"}]}
        """#
      ),
      ("thinking", #"{"max_tokens": 1, "thinking": {}, "messages": [{"role": "user", "content": "a"}]}"#),
      ("temperature", #"{"max_tokens": 1, "temperature": -1, "messages": [{"role": "user", "content": "a"}]}"#),
    ])
  func anthropicRefusals(field: String, body: String) throws {
    let error = try #require(refusal { try MessagesRequest.read(JSONValue(parsing: body), pack()) })
    #expect(error.field == field && error.anthropic["error"]?["type"] == "invalid_request_error")
  }

  @Test(
    "Requests for tokens are refused by the name of the field, read or not",
    arguments: [
      ("content", "{}"), ("content", #"{"content": 1}"#), ("prompt", #"{"content": "a", "prompt": {}}"#),
      ("with_pieces", #"{"content": "a", "with_pieces": "yes"}"#),
    ])
  func tokenizeRefusals(field: String, body: String) throws {
    var error: InterfaceError?
    do { _ = try TextRequest.tokenize(JSONValue(parsing: body), pack()) } catch let refused as InterfaceError { error = refused }
    #expect(error?.field == field && error?.status == 400, "\(String(describing: error))")
  }
}
