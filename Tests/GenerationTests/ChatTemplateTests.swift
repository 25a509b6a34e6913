// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF
import TestSupport
import Testing

@testable import Generation
@testable import Tokenization

struct ChatTemplateTests {
  private static let turns: [ChatMessage] = [
    ChatMessage(.system, "Be kind."), ChatMessage(.user, "Hi"), ChatMessage(.assistant, "Hello!"), ChatMessage(.user, "Bye"),
  ]

  @Test(
    "A conversation is written as the model's authors do",
    arguments: [
      (
        ChatTemplate.chatML,
        "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello!<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n"
      ),
      (
        .llama3,
        "<|start_header_id|>system<|end_header_id|>\n\nBe kind.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nHello!<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nBye<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
      ),
      (
        .llama31,
        "<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\nBe kind.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nHello!<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nBye<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
      ),
      (
        .gemma,
        "<start_of_turn>user\nBe kind.\n\nHi<end_of_turn>\n<start_of_turn>model\nHello!<end_of_turn>\n<start_of_turn>user\nBye<end_of_turn>\n<start_of_turn>model\n"
      ),
      (.mistralV1, " [INST] Be kind.\n\nHi [/INST] Hello!</s> [INST] Bye [/INST]"),
      (.mistralV3, "[INST] Be kind.\n\nHi[/INST] Hello!</s>[INST] Bye[/INST]"),
      (.mistralV3Tekken, "[INST]Be kind.\n\nHi[/INST]Hello!</s>[INST]Bye[/INST]"),
      (.mistralV7, "[SYSTEM_PROMPT] Be kind.[/SYSTEM_PROMPT][INST] Hi[/INST] Hello!</s>[INST] Bye[/INST]"),
      (.mistralV7Tekken, "[SYSTEM_PROMPT]Be kind.[/SYSTEM_PROMPT][INST]Hi[/INST]Hello!</s>[INST]Bye[/INST]"),
      (.deepSeek2, "Be kind.\n\nUser: Hi\n\nAssistant: Hello!<｜end▁of▁sentence｜>User: Bye\n\nAssistant:"),
      (.deepSeek3, "Be kind.<｜User｜>Hi<｜Assistant｜>Hello!<｜end▁of▁sentence｜><｜User｜>Bye<｜Assistant｜>"),
      (.deepSeek31, "Be kind.<｜User｜>Hi<｜Assistant｜></think>Hello!<｜end▁of▁sentence｜><｜User｜>Bye<｜Assistant｜></think>"),
      (.deepSeekR1, "Be kind.<｜User｜>Hi<｜Assistant｜>Hello!<｜end▁of▁sentence｜><｜User｜>Bye<｜Assistant｜><think>\n"),
      (.glm4, "[gMASK]<sop><|system|>\nBe kind.<|user|>\nHi<|assistant|>\nHello!<|user|>\nBye<|assistant|>"),
      (
        .harmony,
        "<|start|>system<|message|>You are ChatGPT, a large language model trained by OpenAI.\nKnowledge cutoff: 2024-06\n\nReasoning: medium\n\n# Valid channels: analysis, commentary, final. Channel must be included for every message.<|end|><|start|>developer<|message|># Instructions\n\nBe kind.\n\n<|end|><|start|>user<|message|>Hi<|end|><|start|>assistant<|channel|>final<|message|>Hello!<|end|><|start|>user<|message|>Bye<|end|><|start|>assistant"
      ),
      (
        .kimiK2,
        "<|im_system|>system<|im_middle|>Be kind.<|im_end|><|im_user|>user<|im_middle|>Hi<|im_end|><|im_assistant|>assistant<|im_middle|>Hello!<|im_end|><|im_user|>user<|im_middle|>Bye<|im_end|><|im_assistant|>assistant<|im_middle|>"
      ),
      (.miniMaxM2, "]~!b[]~b]system\nBe kind.[e~[\n]~b]user\nHi[e~[\n]~b]ai\nHello![e~[\n]~b]user\nBye[e~[\n]~b]ai\n<think>\n"),
    ])
  func written(template: ChatTemplate, expected: String) {
    #expect(template.prompt(Self.turns) == expected)
  }

  @Test(
    "Without a system's turn, some models are told what they are",
    arguments: [
      (ChatTemplate.chatML, "<|im_start|>user\nHi"),
      (
        .qwen25,
        "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n<|im_start|>user\nHi"
      ),
      (.llama3, "<|start_header_id|>user<|end_header_id|>\n\nHi"),
      (
        .llama31,
        "<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHi"
      ),
      (
        .kimiK2,
        "<|im_system|>system<|im_middle|>You are Kimi, an AI assistant created by Moonshot AI.<|im_end|><|im_user|>user<|im_middle|>Hi"
      ),
      (.miniMaxM2, "]~!b[]~b]system\nYou are a helpful assistant.[e~[\n]~b]user\nHi"), (.glm4, "[gMASK]<sop><|user|>\nHi"),
    ])
  func defaultSystem(template: ChatTemplate, expected: String) {
    #expect(template.prompt([ChatMessage(.user, "Hi")]).hasPrefix(expected))
  }

  @Test("Turn by turn, the same text comes out as at once", arguments: ChatTemplate.allCases, ["", "Be kind."])
  func incremental(template: ChatTemplate, system: String) {
    var conversation = Conversation(template, system: system)
    let first = conversation.ask("Hi")
    let second = conversation.ask("Bye")
    let format = template.format
    // What the model itself writes at the beginning of a reply lies between.
    let reply = format.written.hasPrefix(format.reply) ? String(format.written.dropFirst(format.reply.count)) + "Hello!" : "Hello!"
    let written = format.written.hasPrefix(format.reply) ? format.reply : format.written
    let turns = (system.isEmpty ? [] : [ChatMessage(.system, system)]) + Self.turns.dropFirst()
    #expect(String(first.dropLast(format.reply.count)) + written + reply + second == template.prompt(turns))
    #expect(second.hasPrefix(format.replyEnd))
  }

  @Test(
    "Marks in a GGUF's template tell which it is",
    arguments: [
      ("{{ '<|im_start|>' + message['role'] }}", ChatTemplate.chatML),
      ("<|im_start|>system\\nYou are Qwen, created by Alibaba Cloud. You", .qwen25),
      ("<|start_header_id|>system<|end_header_id|>\\n\\n\" }}{{- \"Cutting Knowledge Date: December 2023", .llama31),
      ("<|start_header_id|>{{ role }}<|end_header_id|>", .llama3),
      ("{{ '<start_of_turn>' + role }}", .gemma), ("{{ ' [INST] ' + system_message }}", .mistralV1),
      ("[AVAILABLE_TOOLS] {{ \"[INST] \" + content }}", .mistralV3),
      ("[AVAILABLE_TOOLS] {{ \"[INST]\" + content }}", .mistralV3Tekken),
      ("[SYSTEM_PROMPT] {{ '[INST] ' + content }}", .mistralV7), ("'[SYSTEM_PROMPT]' {{ '[INST]' + content }}", .mistralV7Tekken),
      ("{{ 'Assistant: ' + message['content'] + eos_token }}", .deepSeek2), ("<｜User｜>{{ c }}<｜Assistant｜>", .deepSeek3),
      ("<｜User｜>{% if not thinking %}<｜Assistant｜></think>", .deepSeek31), ("<｜User｜><｜Assistant｜><think>\\n", .deepSeekR1),
      ("[gMASK]<sop><|user|>", .glm4), ("<|start|>assistant<|channel|>final", .harmony),
      ("<|im_assistant|>assistant<|im_middle|>", .kimiK2), ("]~b]ai\n{{ x }}[e~[", .miniMaxM2),
    ])
  func recognised(source: String, expected: ChatTemplate) throws {
    #expect(ChatTemplate.recognised(in: source) == expected)
    var metadata = GGUFMetadata()
    metadata["tokenizer.chat_template"] = .text(source)
    #expect(try ChatTemplate(metadata: metadata) == expected)
    #expect(try ChatTemplate(named: expected.rawValue) == expected)
  }

  @Test("Without a usable template one line says so and names those there are")
  func errors() {
    let names =
      "chatml, deepseek-r1, deepseek2, deepseek3, deepseek3.1, gemma, glm4, harmony, kimi-k2, llama3, llama3.1, "
      + "minimax-m2, mistral-v1, mistral-v3, mistral-v3-tekken, mistral-v7, mistral-v7-tekken, qwen2.5"
    #expect(throws: ChatTemplateError.unknownName("alpaca")) { try ChatTemplate(named: "alpaca") }
    #expect(ChatTemplateError.unknownName("alpaca").description == "there is no chat template \"alpaca\"; known are: " + names)
    #expect(throws: ChatTemplateError.absent) { try ChatTemplate(metadata: GGUFMetadata()) }
    var metadata = GGUFMetadata()
    metadata["tokenizer.chat_template"] = .text("### Instruction: {{ content }}")
    #expect(throws: ChatTemplateError.unrecognised) { try ChatTemplate(metadata: metadata) }
    #expect(ChatTemplateError.unrecognised.description.hasSuffix("--template: " + names))
  }

  @Test("Where a model carries no template, the marks of its vocabulary tell one")
  func guessed() throws {
    #expect(try ChatTemplate.guessed(from: Tokenizer(metadata: SmallVocabulary.sentencePiece())) == nil)
    var metadata = SmallVocabulary.sentencePiece()
    let tokens = try #require(metadata.strings("tokenizer.ggml.tokens"))
    metadata["tokenizer.ggml.tokens"] = .array(
      MetadataArray(strings: tokens.map { $0 == "<end_of_turn>" ? "<start_of_turn>" : $0 }))
    #expect(try ChatTemplate.guessed(from: Tokenizer(metadata: metadata)) == .gemma)
  }

  @Test(
    "The begin-of-text token is there once, whether the template or the tokenizer asks for it", arguments: [true, false, nil],
    [true, false])
  func beginOfTextOnce(adds: Bool?, writes: Bool) throws {
    var metadata = SmallVocabulary.sentencePiece()
    metadata["tokenizer.chat_template"] = .text(writes ? "{{ bos_token }}<start_of_turn>" : "<start_of_turn>")
    metadata["tokenizer.ggml.add_bos_token"] = adds.map { .bool($0) }
    let tokenizer = try Tokenizer(metadata: metadata)
    var conversation = Conversation(.gemma, writesBeginOfText: ChatTemplate.writesBeginOfText(metadata))
    let first = conversation.ask("hello", tokenizer)
    // SentencePiece vocabularies ask for it unless the file says otherwise.
    #expect(first.count { $0 == tokenizer.beginOfText } == (writes || adds != false ? 1 : 0))
    #expect(conversation.ask("world", tokenizer).count { $0 == tokenizer.beginOfText } == 0)
  }

  @Test("A template longer than any real one is refused", .timeLimit(.minutes(1)))
  func longTemplate() {
    var metadata = GGUFMetadata()
    metadata["tokenizer.chat_template"] = .text("<|im_start|>" + String(repeating: "{{ a }}", count: 5_000_000))
    #expect(throws: ChatTemplateError.tooLong(byteCount: 35_000_012)) { try ChatTemplate(metadata: metadata) }
    #expect(!ChatTemplate.writesBeginOfText(metadata))
  }

  @Test("As tokens, only the first turn begins with the begin-of-text token, and only once")
  func tokens() throws {
    let tokenizer = try Tokenizer(metadata: SmallVocabulary.sentencePiece())
    var conversation = Conversation(.gemma)
    let first = conversation.ask("hello", tokenizer)
    let second = conversation.ask("world", tokenizer)
    #expect(first.first == tokenizer.beginOfText && first.dropFirst().first != tokenizer.beginOfText)
    #expect(second.first == tokenizer.endOfTurn && !second.contains(1))
    #expect(first.contains { $0 == tokenizer.endOfTurn })
  }
}
