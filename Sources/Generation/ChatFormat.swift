// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The texts that a chat template puts around turns.
struct ChatFormat: Sendable {
  /// A turn's text stands between these.
  struct Frame: Sendable {
    var before: String
    var after: String
  }

  /// What stands in front of a conversation, apart from the tokenizer's begin-of-text token.
  var begin = ""
  /// The frame of the system's turn; without one its text goes in front of the first user's, with a blank line between.
  var system: Frame?
  /// The system's turn where the caller has none.
  var defaultSystem: String?
  /// The frame of a user's turn.
  var user: Frame
  /// What makes the model reply.
  var reply: String
  /// What stands in front of a reply that is written already: `reply`, and how the model itself would begin.
  var written: String
  /// What follows a reply.
  var replyEnd: String
  /// Whether white space around a turn's text is dropped.
  var trims = false
}

extension ChatTemplate {
  /// The texts of this template, as the models' authors publish them.
  var format: ChatFormat {
    switch self {
    case .chatML: Self.roles("<|im_start|>", "\n", "<|im_end|>\n")
    case .qwen25:
      Self.roles(
        "<|im_start|>", "\n", "<|im_end|>\n",
        defaultSystem: "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.")
    case .llama3: Self.roles("<|start_header_id|>", "<|end_header_id|>\n\n", "<|eot_id|>", trims: true)
    case .llama31: Self.llama31Format
    case .gemma:
      ChatFormat(
        user: .init(before: "<start_of_turn>user\n", after: "<end_of_turn>\n"), reply: "<start_of_turn>model\n",
        written: "<start_of_turn>model\n", replyEnd: "<end_of_turn>\n", trims: true)
    case .mistralV1: Self.instruction(before: " [INST] ", after: " [/INST]", lead: " ")
    case .mistralV3: Self.instruction(before: "[INST] ", after: "[/INST]", lead: " ", trims: true)
    case .mistralV3Tekken: Self.instruction(before: "[INST]", after: "[/INST]", lead: "")
    case .mistralV7: Self.instruction(before: "[INST] ", after: "[/INST]", lead: " ", system: "[SYSTEM_PROMPT] ")
    case .mistralV7Tekken: Self.instruction(before: "[INST]", after: "[/INST]", lead: "", system: "[SYSTEM_PROMPT]")
    case .deepSeek2:
      ChatFormat(
        system: .init(before: "", after: "\n\n"), user: .init(before: "User: ", after: "\n\n"), reply: "Assistant:",
        written: "Assistant: ", replyEnd: Self.deepSeekEnd)
    case .deepSeek3: Self.deepSeek(reply: "", written: "")
    case .deepSeek31: Self.deepSeek(reply: "</think>", written: "</think>")
    case .deepSeekR1: Self.deepSeek(reply: "<think>\n", written: "")
    case .glm4:
      ChatFormat(
        begin: "[gMASK]<sop>", system: .init(before: "<|system|>\n", after: ""), user: .init(before: "<|user|>\n", after: ""),
        reply: "<|assistant|>", written: "<|assistant|>\n", replyEnd: "")
    case .harmony: Self.harmonyFormat
    case .kimiK2:
      ChatFormat(
        system: .init(before: "<|im_system|>system<|im_middle|>", after: "<|im_end|>"),
        defaultSystem: "You are Kimi, an AI assistant created by Moonshot AI.",
        user: .init(before: "<|im_user|>user<|im_middle|>", after: "<|im_end|>"),
        reply: "<|im_assistant|>assistant<|im_middle|>", written: "<|im_assistant|>assistant<|im_middle|>",
        replyEnd: "<|im_end|>")
    case .miniMaxM2:
      ChatFormat(
        begin: "]~!b[", system: .init(before: "]~b]system\n", after: "[e~[\n"), defaultSystem: "You are a helpful assistant.",
        user: .init(before: "]~b]user\n", after: "[e~[\n"), reply: "]~b]ai\n<think>\n", written: "]~b]ai\n",
        replyEnd: "[e~[\n")
    }
  }

  /// Formats in which every turn names its role in the same way.
  private static func roles(
    _ before: String, _ middle: String, _ after: String, defaultSystem: String? = nil, trims: Bool = false
  ) -> ChatFormat {
    ChatFormat(
      system: .init(before: before + "system" + middle, after: after), defaultSystem: defaultSystem,
      user: .init(before: before + "user" + middle, after: after), reply: before + "assistant" + middle,
      written: before + "assistant" + middle, replyEnd: after, trims: trims)
  }

  /// Llama 3.1 to 3.3 tell the model when it was made and what day it is, with or without a system's turn. The day is the one that
  /// their templates fall back on, so that the same conversation is the same prompt every day.
  private static var llama31Format: ChatFormat {
    var format = ChatTemplate.llama3.format
    format.system?.before += "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n"
    format.defaultSystem = ""
    return format
  }

  /// Mistral's formats; replies follow the instruction without a mark.
  private static func instruction(
    before: String, after: String, lead: String, system: String? = nil, trims: Bool = false
  ) -> ChatFormat {
    ChatFormat(
      system: system.map { .init(before: $0, after: "[/SYSTEM_PROMPT]") }, user: .init(before: before, after: after),
      reply: "", written: lead, replyEnd: "</s>", trims: trims)
  }

  private static let deepSeekEnd = "<｜end▁of▁sentence｜>"

  private static func deepSeek(reply: String, written: String) -> ChatFormat {
    ChatFormat(
      system: .init(before: "", after: ""), user: .init(before: "<｜User｜>", after: ""), reply: "<｜Assistant｜>" + reply,
      written: "<｜Assistant｜>" + written, replyEnd: deepSeekEnd)
  }

  /// OpenAI's format for gpt-oss. The system's text is the developer's; a first message tells the model what it is (without
  /// today's date, so that the same conversation is the same prompt every day).
  private static let harmonyFormat = ChatFormat(
    begin: "<|start|>system<|message|>You are ChatGPT, a large language model trained by OpenAI.\n"
      + "Knowledge cutoff: 2024-06\n\nReasoning: medium\n\n"
      + "# Valid channels: analysis, commentary, final. Channel must be included for every message.<|end|>",
    system: .init(before: "<|start|>developer<|message|># Instructions\n\n", after: "\n\n<|end|>"),
    user: .init(before: "<|start|>user<|message|>", after: "<|end|>"), reply: "<|start|>assistant",
    written: "<|start|>assistant<|channel|>final<|message|>", replyEnd: "<|end|>")
}
