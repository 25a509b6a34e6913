// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ChatTemplates
import GGUF
import JSON
import TestSupport
import Testing

@testable import Generation
@testable import Tokenization

struct BuiltInTemplateTests {
  private static let turns: [JSONValue] = [
    ["role": "system", "content": "Be kind."], ["role": "user", "content": "Hi"], ["role": "assistant", "content": "Hello!"],
    ["role": "user", "content": "Bye"],
  ]

  private static func template(_ name: String) throws -> ChatTemplate {
    try ChatTemplate(name, metadata: GGUFMetadata(), tokenizer: Tokenizer(metadata: SmallVocabulary.sentencePiece()))
  }

  private static func prompt(_ name: String, _ messages: [JSONValue], asksForReply: Bool = true) throws -> String {
    let request = ChatRequest(messages: messages, addsGenerationPrompt: asksForReply)
    return try template(name).render(request).map(\.text).joined()
  }

  @Test(
    "A conversation is written as the model's authors write it",
    arguments: [
      (
        "chatml",
        "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello!<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n"
      ),
      (
        "llama3",
        "<|start_header_id|>system<|end_header_id|>\n\nBe kind.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nHello!<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nBye<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
      ),
      (
        "llama3.1",
        "<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\nBe kind.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nHello!<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nBye<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
      ),
      (
        "gemma",
        "<start_of_turn>user\nBe kind.\n\nHi<end_of_turn>\n<start_of_turn>model\nHello!<end_of_turn>\n<start_of_turn>user\nBye<end_of_turn>\n<start_of_turn>model\n"
      ),
      ("mistral-v1", " [INST] Be kind.\n\nHi [/INST] Hello!</s> [INST] Bye [/INST]"),
      ("mistral-v3", "[INST] Be kind.\n\nHi[/INST] Hello!</s>[INST] Bye[/INST]"),
      ("mistral-v3-tekken", "[INST]Be kind.\n\nHi[/INST]Hello!</s>[INST]Bye[/INST]"),
      ("mistral-v7", "[SYSTEM_PROMPT] Be kind.[/SYSTEM_PROMPT][INST] Hi[/INST] Hello!</s>[INST] Bye[/INST]"),
      ("mistral-v7-tekken", "[SYSTEM_PROMPT]Be kind.[/SYSTEM_PROMPT][INST]Hi[/INST]Hello!</s>[INST]Bye[/INST]"),
      ("deepseek2", "Be kind.\n\nUser: Hi\n\nAssistant: Hello!<｜end▁of▁sentence｜>User: Bye\n\nAssistant:"),
      ("deepseek3", "Be kind.<｜User｜>Hi<｜Assistant｜>Hello!<｜end▁of▁sentence｜><｜User｜>Bye<｜Assistant｜>"),
      ("deepseek3.1", "Be kind.<｜User｜>Hi<｜Assistant｜></think>Hello!<｜end▁of▁sentence｜><｜User｜>Bye<｜Assistant｜></think>"),
      ("deepseek-r1", "Be kind.<｜User｜>Hi<｜Assistant｜>Hello!<｜end▁of▁sentence｜><｜User｜>Bye<｜Assistant｜><think>\n"),
      ("glm4", "[gMASK]<sop><|system|>\nBe kind.<|user|>\nHi<|assistant|>\nHello!<|user|>\nBye<|assistant|>"),
      (
        "harmony",
        "<|start|>system<|message|>You are ChatGPT, a large language model trained by OpenAI.\nKnowledge cutoff: 2024-06\n\nReasoning: medium\n\n# Valid channels: analysis, commentary, final. Channel must be included for every message.<|end|><|start|>developer<|message|># Instructions\n\nBe kind.\n\n<|end|><|start|>user<|message|>Hi<|end|><|start|>assistant<|channel|>final<|message|>Hello!<|end|><|start|>user<|message|>Bye<|end|><|start|>assistant"
      ),
      (
        "kimi-k2",
        "<|im_system|>system<|im_middle|>Be kind.<|im_end|><|im_user|>user<|im_middle|>Hi<|im_end|><|im_assistant|>assistant<|im_middle|>Hello!<|im_end|><|im_user|>user<|im_middle|>Bye<|im_end|><|im_assistant|>assistant<|im_middle|>"
      ),
      ("minimax-m2", "]~!b[]~b]system\nBe kind.[e~[\n]~b]user\nHi[e~[\n]~b]ai\nHello![e~[\n]~b]user\nBye[e~[\n]~b]ai\n<think>\n"),
    ])
  func written(template: String, expected: String) throws {
    #expect(try Self.prompt(template, Self.turns) == expected)
  }

  @Test(
    "Without a system turn, some models are told what they are",
    arguments: [
      ("chatml", "<|im_start|>user\nHi"),
      (
        "qwen2.5",
        "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n<|im_start|>user\nHi"
      ),
      ("llama3", "<|start_header_id|>user<|end_header_id|>\n\nHi"),
      (
        "llama3.1",
        "<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHi"
      ),
      (
        "kimi-k2",
        "<|im_system|>system<|im_middle|>You are Kimi, an AI assistant created by Moonshot AI.<|im_end|><|im_user|>user<|im_middle|>Hi"
      ),
      ("minimax-m2", "]~!b[]~b]system\nYou are a helpful assistant.[e~[\n]~b]user\nHi"), ("glm4", "[gMASK]<sop><|user|>\nHi"),
    ])
  func defaultSystem(template: String, expected: String) throws {
    #expect(try Self.prompt(template, [Self.turns[1]]).hasPrefix(expected))
  }

  @Test("Without a request for a reply, the prompt ends after the last turn")
  func noReply() throws {
    let turns = Array(Self.turns.prefix(3))
    let prompt = try Self.prompt("chatml", turns, asksForReply: false)
    #expect(prompt.hasSuffix("<|im_start|>assistant\nHello!<|im_end|>\n"))
  }

  @Test("Content for which a template has no text is refused by name")
  func unsupported() throws {
    func complaint(_ name: String, _ request: ChatRequest) -> String? {
      #expect(throws: ChatTemplateError.self) { try Self.template(name).render(request) }?.description
    }
    let tools: JSONValue = [["type": "function"]]
    #expect(complaint("chatml", ChatRequest(messages: Self.turns, tools: tools))?.contains("no form for tools") == true)
    #expect(complaint("chatml", ChatRequest(messages: [["role": "tool", "content": "x"]]))?.contains("'tool'") == true)
    #expect(complaint("chatml", ChatRequest(messages: [["role": "user", "content": nil]]))?.contains("content") == true)
    #expect(complaint("gemma", ChatRequest(messages: [Self.turns[0]]))?.contains("without a user's") == true)
  }

  @Test("Unknown names are refused with a list of the known ones, the model's own first")
  func names() throws {
    let names =
      "chatml, deepseek-r1, deepseek2, deepseek3, deepseek3.1, gemma, glm4, harmony, kimi-k2, llama3, llama3.1, "
      + "minimax-m2, mistral-v1, mistral-v3, mistral-v3-tekken, mistral-v7, mistral-v7-tekken, qwen2.5"
    let unknown = #expect(throws: ChatTemplateError.self) { try Self.template("alpaca") }
    #expect(unknown?.description == "there is no chat template \"alpaca\"; choose one of: " + names)
    var metadata = GGUFMetadata()
    metadata["tokenizer.chat_template.rag"] = .text("{{ messages[0].content }}!")
    let tokenizer = try Tokenizer(metadata: SmallVocabulary.sentencePiece())
    let named = #expect(throws: ChatTemplateError.self) { try ChatTemplate("alpaca", metadata: metadata, tokenizer: tokenizer) }
    #expect(named?.description.hasSuffix("choose one of: rag, " + names) == true)
    let rag = try ChatTemplate("rag", metadata: metadata, tokenizer: tokenizer)
    #expect(try rag.render(ChatRequest(messages: [Self.turns[1]])).map(\.text) == ["Hi", "!"])
  }

  @Test("If a model has no template, its vocabulary determines one")
  func guessed() throws {
    var metadata = SmallVocabulary.sentencePiece()
    let plain = #expect(throws: ChatTemplateError.self) {
      try ChatTemplate(nil, metadata: metadata, tokenizer: Tokenizer(metadata: metadata))
    }
    guard case .absent = plain else { Issue.record("\(String(describing: plain))"); return }
    let tokens = try #require(metadata.strings("tokenizer.ggml.tokens"))
    metadata["tokenizer.ggml.tokens"] = .array(
      MetadataArray(strings: tokens.map { $0 == "<end_of_turn>" ? "<start_of_turn>" : $0 }))
    let guess = try ChatTemplate(nil, metadata: metadata, tokenizer: Tokenizer(metadata: metadata))
    #expect(guess.builtInName == "gemma")
  }

  /// A built-in template, and an authors' template that writes plain conversations in the same way.
  struct Pair: Sendable, CustomTestStringConvertible {
    var name: String
    var oracle: String
    /// Whether the results are the same: for conversations without a system turn, with one, and with one and several questions.
    var isSame = (plain: true, system: true, longSystem: true)
    /// Text that only the authors' program writes.
    var extra: String?

    var testDescription: String { "\(name) and \(oracle)" }
  }

  private static let pairs = [
    Pair(name: "chatml", oracle: "Qwen3-0.6B"), Pair(name: "qwen2.5", oracle: "Qwen2.5-7B-Instruct"),
    Pair(name: "llama3", oracle: "Llama-3-8B-Instruct"), Pair(name: "llama3.1", oracle: "Llama-3.1-8B-Instruct"),
    // It refuses a system turn.
    Pair(name: "gemma", oracle: "gemma-2-2b-it", isSame: (true, false, false)),
    Pair(name: "mistral-v1", oracle: "Mistral-7B-Instruct-v0.2"),
    // It puts the system text before the last question.
    Pair(name: "mistral-v3-tekken", oracle: "Mistral-Nemo-Instruct-2407", isSame: (true, true, false)),
    Pair(name: "mistral-v7", oracle: "Mistral-Large-Instruct-2411"),
    // These two have a system turn of their own.
    Pair(name: "mistral-v7-tekken", oracle: "Mistral-Small-3.2-24B", isSame: (false, true, true)),
    Pair(name: "kimi-k2", oracle: "Kimi-K2-Instruct", isSame: (false, true, true)),
    Pair(name: "deepseek2", oracle: "DeepSeek-V2"), Pair(name: "deepseek3", oracle: "DeepSeek-V3"),
    // The oracle was edited; DeepSeek's own template has only the closing mark.
    Pair(name: "deepseek3.1", oracle: "DeepSeek-V3.1", extra: "<think>"),
    // The oracle closes the thinking, which the built-in template lets the model begin.
    Pair(name: "deepseek-r1", oracle: "DeepSeek-R1-Distill-Qwen-32B", extra: "</think>"),
    Pair(name: "glm4", oracle: "GLM-4-9b-chat"),
    Pair(name: "minimax-m2", oracle: "MiniMax-M2"),
    Pair(name: "harmony", oracle: "gpt-oss-120b", extra: "Current date: 2024-07-26\n"),
  ]

  @Test(
    "A built-in template writes what the authors' program writes, apart from the begin-of-text token",
    .enabled(if: Oracles.folder != nil, Oracles.absence), arguments: pairs)
  func differential(pair: Pair) throws {
    var authors = try ChatTemplate(source: Oracles.text(pair.oracle + ".jinja"))
    authors.endOfText = pair.name.hasPrefix("mistral") ? "</s>" : "<｜end▁of▁sentence｜>"
    authors.date = TemplateDate(year: 2024, month: 7, day: 26)
    var conversations: [[JSONValue]] = []
    if pair.isSame.plain { conversations += [Array(Self.turns[1...1]), Array(Self.turns[1...3])] }
    if pair.isSame.system { conversations.append(Array(Self.turns[0...1])) }
    if pair.isSame.longSystem { conversations.append(Self.turns) }
    for messages in conversations {
      let theirs = try authors.render(ChatRequest(messages: messages)).map(\.text).joined()
      #expect(try Self.prompt(pair.name, messages) == theirs.replacing(pair.extra ?? "\u{0}", with: ""))
    }
  }
}
