// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

extension WrittenTemplate {
  /// Finds the template with this name; nil if there is none.
  init?(named name: String) {
    guard let row = Self.table.first(where: { $0.name == name }) else { return nil }
    self = row
  }

  /// The templates as the models' authors publish them. If a vocabulary has the tokens of several, the first one is used.
  static let table: [WrittenTemplate] = [
    roles("chatml", token: "<|im_start|>", "<|im_start|>", "\n", "<|im_end|>\n"),
    roles(
      "qwen2.5", "<|im_start|>", "\n", "<|im_end|>\n",
      defaultSystem: "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."),
    roles(
      "llama3", token: "<|start_header_id|>", "<|start_header_id|>", "<|end_header_id|>\n\n", "<|eot_id|>", trims: true),
    // Llama 3.1 to 3.3 tell the model when it was made and what day it is, with or without a system's turn. The day is the default
    // of their templates, so that the same conversation gives the same prompt every day.
    roles(
      "llama3.1", "<|start_header_id|>", "<|end_header_id|>\n\n", "<|eot_id|>",
      systemBegin: "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n", defaultSystem: "", trims: true),
    WrittenTemplate(
      name: "gemma", token: "<start_of_turn>", user: Frame(before: "<start_of_turn>user\n", after: "<end_of_turn>\n"),
      reply: "<start_of_turn>model\n", replyEnd: "<end_of_turn>\n", trims: true),
    // OpenAI's format for gpt-oss. The system's text becomes the developer's; a first message tells the model what it is. It omits
    // today's date, so that the same conversation gives the same prompt every day.
    WrittenTemplate(
      name: "harmony", token: "<|channel|>",
      begin: "<|start|>system<|message|>You are ChatGPT, a large language model trained by OpenAI.\n"
        + "Knowledge cutoff: 2024-06\n\nReasoning: medium\n\n"
        + "# Valid channels: analysis, commentary, final. Channel must be included for every message.<|end|>",
      system: Frame(before: "<|start|>developer<|message|># Instructions\n\n", after: "\n\n<|end|>"),
      user: Frame(before: "<|start|>user<|message|>", after: "<|end|>"), reply: "<|start|>assistant",
      written: "<|start|>assistant<|channel|>final<|message|>", replyEnd: "<|end|>", turns: "gpt-oss"),
    WrittenTemplate(
      name: "kimi-k2", token: "<|im_middle|>", system: Frame(before: "<|im_system|>system<|im_middle|>", after: "<|im_end|>"),
      defaultSystem: "You are Kimi, an AI assistant created by Moonshot AI.",
      user: Frame(before: "<|im_user|>user<|im_middle|>", after: "<|im_end|>"),
      reply: "<|im_assistant|>assistant<|im_middle|>", replyEnd: "<|im_end|>"),
    WrittenTemplate(
      name: "minimax-m2", token: "]~b]", begin: "]~!b[", system: Frame(before: "]~b]system\n", after: "[e~[\n"),
      defaultSystem: "You are a helpful assistant.", user: Frame(before: "]~b]user\n", after: "[e~[\n"),
      reply: "]~b]ai\n<think>\n", written: "]~b]ai\n", replyEnd: "[e~[\n"),
    deepSeek("deepseek3", token: "<｜Assistant｜>", reply: "", written: ""),
    deepSeek("deepseek3.1", reply: "</think>", written: "</think>"),
    deepSeek("deepseek-r1", reply: "<think>\n", written: ""),
    WrittenTemplate(
      name: "deepseek2", system: Frame(before: "", after: "\n\n"), user: Frame(before: "User: ", after: "\n\n"),
      reply: "Assistant:", written: "Assistant: ", replyEnd: deepSeekEnd),
    WrittenTemplate(
      name: "glm4", token: "<sop>", begin: "[gMASK]<sop>", system: Frame(before: "<|system|>\n", after: ""),
      user: Frame(before: "<|user|>\n", after: ""), reply: "<|assistant|>", written: "<|assistant|>\n", replyEnd: ""),
    instruction("mistral-v1", before: " [INST] ", after: " [/INST]", lead: " "),
    instruction("mistral-v3", before: "[INST] ", after: "[/INST]", lead: " ", trims: true),
    instruction("mistral-v3-tekken", before: "[INST]", after: "[/INST]", lead: ""),
    instruction("mistral-v7", before: "[INST] ", after: "[/INST]", lead: " ", system: "[SYSTEM_PROMPT] "),
    instruction("mistral-v7-tekken", before: "[INST]", after: "[/INST]", lead: "", system: "[SYSTEM_PROMPT]"),
  ]

  /// Makes a template in which every turn names its role in the same way.
  private static func roles(
    _ name: String, token: String? = nil, _ before: String, _ middle: String, _ after: String, systemBegin: String = "",
    defaultSystem: String? = nil, trims: Bool = false
  ) -> WrittenTemplate {
    WrittenTemplate(
      name: name, token: token, system: Frame(before: before + "system" + middle + systemBegin, after: after),
      defaultSystem: defaultSystem, user: Frame(before: before + "user" + middle, after: after),
      reply: before + "assistant" + middle, replyEnd: after, trims: trims)
  }

  /// Makes one of Mistral's templates, in which replies follow the instruction without a mark.
  private static func instruction(
    _ name: String, before: String, after: String, lead: String, system: String? = nil, trims: Bool = false
  ) -> WrittenTemplate {
    WrittenTemplate(
      name: name, system: system.map { Frame(before: $0, after: "[/SYSTEM_PROMPT]") }, user: Frame(before: before, after: after),
      reply: "", written: lead, replyEnd: "</s>", trims: trims)
  }

  private static let deepSeekEnd = "<｜end▁of▁sentence｜>"

  private static func deepSeek(_ name: String, token: String? = nil, reply: String, written: String) -> WrittenTemplate {
    WrittenTemplate(
      name: name, token: token, system: Frame(before: "", after: ""), user: Frame(before: "<｜User｜>", after: ""),
      reply: "<｜Assistant｜>" + reply, written: "<｜Assistant｜>" + written, replyEnd: deepSeekEnd)
  }
}
