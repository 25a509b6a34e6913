// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The formats of turns, one row for each.
enum TurnFormatTable {
  struct Row: Sendable {
    let name: String
    /// Texts in the family's templates. The first row whose texts all occur in a template is used.
    let marks: [String]
    var reasoning: TurnFormat.Marks?
    var framing: [String] = []
    let calls: TurnFormat.Calls
  }

  static let plain = Row(name: "plain", marks: [], calls: .none)

  static let reasoningMarks: [TurnFormat.Marks] = [
    .init(open: "<think>", close: "</think>"), .init(open: "[THINK]", close: "[/THINK]"),
    .init(open: "<seed:think>", close: "</seed:think>"),
  ]

  static let rows: [Row] = [
    Row(name: "gpt-oss", marks: ["<|channel|>", "<|message|>"], calls: .harmony),
    Row(
      name: "gemma4", marks: ["<|tool_call>"], reasoning: .init(open: "<|channel>thought\n", close: "<channel|>"),
      calls: .single(mark: "<|tool_call>", .gemma)),
    Row(
      name: "kimi-k3", marks: ["<|open|>", "<|close|>"],
      reasoning: .init(open: "<|open|>think<|sep|>", close: "<|close|>think<|sep|>"),
      framing: ["<|open|>response<|sep|>", "<|close|>response<|sep|>"],
      calls: .section(
        open: ["<|open|>tools<|sep|>"], close: ["<|close|>tools<|sep|>"],
        .tagged(
          .init(
            open: "<|open|>call tool=\"", nameEnds: ["\""], nameAttributesEnd: "<|sep|>", keyOpen: "<|open|>argument key=\"",
            keyEnd: "\"", attributesEnd: "<|sep|>", valueEnd: "<|close|>argument<|sep|>", close: "<|close|>call<|sep|>")))),
    Row(
      name: "kimi-k2", marks: ["<|tool_call_argument_begin|>"],
      calls: .section(
        open: ["<|tool_calls_section_begin|>"], close: ["<|tool_calls_section_end|>"],
        .named(.init(open: "<|tool_call_begin|>", nameEnd: "<|tool_call_argument_begin|>", close: "<|tool_call_end|>")))),
    Row(
      name: "hunyuan", marks: [":opensource"],
      reasoning: .init(open: "<think:opensource>", close: "</think:opensource>"), framing: ["<｜hy_eos:opensource｜>"],
      calls: .section(
        open: ["<tool_calls:opensource>"], close: ["</tool_calls:opensource>"],
        .tagged(
          .init(
            open: "<tool_call:opensource>", nameEnds: ["<tool_sep:opensource>"], keyOpen: "<arg_key:opensource>",
            keyEnd: "</arg_key:opensource>", valueOpen: "<arg_value:opensource>", valueEnd: "</arg_value:opensource>",
            close: "</tool_call:opensource>")))),
    Row(
      name: "deepseek-v4", marks: ["｜DSML｜"],
      calls: .section(
        open: ["<｜DSML｜tool_calls>"], close: ["</｜DSML｜tool_calls>"],
        .tagged(
          .init(
            open: "<｜DSML｜invoke name=\"", nameEnds: ["\">"], keyOpen: "<｜DSML｜parameter name=\"", keyEnd: "\"",
            attributesEnd: ">", valueEnd: "</｜DSML｜parameter>", close: "</｜DSML｜invoke>")))),
    Row(
      name: "deepseek-r1", marks: ["<｜tool▁sep｜>", "```json"],
      calls: .section(
        open: ["<｜tool▁calls▁begin｜>"], close: ["<｜tool▁calls▁end｜>"],
        .named(
          .init(
            open: "<｜tool▁call▁begin｜>function<｜tool▁sep｜>", nameEnd: "\n```json\n", close: "\n```<｜tool▁call▁end｜>")))),
    Row(
      name: "deepseek-v3.1", marks: ["<｜tool▁sep｜>"],
      calls: .section(
        open: ["<｜tool▁calls▁begin｜>"], close: ["<｜tool▁calls▁end｜>"],
        .named(.init(open: "<｜tool▁call▁begin｜>", nameEnd: "<｜tool▁sep｜>", close: "<｜tool▁call▁end｜>")))),
    Row(
      name: "minimax-m2", marks: ["minimax:tool_call"],
      calls: .section(
        open: ["<minimax:tool_call>"], close: ["</minimax:tool_call>"],
        .tagged(
          .init(
            open: "<invoke name=\"", nameEnds: ["\">"], keyOpen: "<parameter name=\"", keyEnd: "\">", valueEnd: "</parameter>",
            close: "</invoke>")))),
    Row(
      name: "seed", marks: ["seed:tool_call"], reasoning: .init(open: "<seed:think>", close: "</seed:think>"),
      calls: .section(open: ["<seed:tool_call>"], close: ["</seed:tool_call>"], .tagged(functionTags))),
    Row(
      name: "mistral-args", marks: ["[TOOL_CALLS]", "[ARGS]"],
      calls: .single(mark: "[TOOL_CALLS]", .named(.init(open: "", nameEnd: "[ARGS]", close: "")))),
    Row(name: "mistral", marks: ["[TOOL_CALLS]"], calls: .section(open: ["[TOOL_CALLS]"], close: [], .object)),
    Row(
      name: "command", marks: ["START_ACTION"],
      reasoning: .init(open: "<|START_THINKING|>", close: "<|END_THINKING|>"),
      framing: ["<|START_RESPONSE|>", "<|END_RESPONSE|>"],
      calls: .section(open: ["<|START_ACTION|>"], close: ["<|END_ACTION|>"], .object)),
    Row(
      name: "glm", marks: ["<arg_key>"],
      calls: .single(
        mark: "<tool_call>",
        .tagged(
          .init(
            open: "", nameEnds: ["\n", "<arg_key>", "</tool_call>"], keyOpen: "<arg_key>", keyEnd: "</arg_key>",
            valueOpen: "<arg_value>", valueEnd: "</arg_value>", close: "</tool_call>")))),
    Row(
      name: "qwen3-coder", marks: ["<tool_call>", "<function="],
      calls: .section(open: ["<tool_call>"], close: ["</tool_call>"], .tagged(functionTags))),
    Row(
      name: "tool-calls-json", marks: ["<tool_calls>"],
      calls: .section(open: ["<tool_calls>"], close: ["</tool_calls>"], .object)),
    Row(
      name: "minicpm", marks: ["<function name="],
      calls: .single(
        mark: "<function name=\"",
        .tagged(
          .init(
            open: "", nameEnds: ["\">"], keyOpen: "<param name=\"", keyEnd: "\">", valueEnd: "</param>", close: "</function>")))),
    Row(
      name: "functionary", marks: ["<function="],
      calls: .single(mark: "<function=", .named(.init(open: "", nameEnd: ">", close: "</function>")))),
    Row(name: "firefunction", marks: ["functools["], calls: .section(open: ["functools["], close: [], .object)),
    Row(
      name: "apertus", marks: ["<|tools_prefix|>"],
      calls: .section(open: ["<|tools_prefix|>"], close: ["<|tools_suffix|>"], .keyedObject)),
    Row(
      name: "gigachat", marks: ["function call", "<|role_sep|>"],
      calls: .section(open: ["<|message_sep|>\n\nfunction call<|role_sep|>"], close: [], .object)),
    Row(
      name: "hermes", marks: ["<tool_call>"],
      calls: .section(open: ["<tool_call>"], close: ["</tool_call>"], .object)),
    Row(name: "llama", marks: ["<|start_header_id|>", "\"parameters\""], calls: .wholeAnswer(mark: "<|python_tag|>")),
    plain,
  ]

  private static let functionTags = CallSyntax.TaggedCall(
    open: "<function=", nameEnds: [">"], keyOpen: "<parameter=", keyEnd: ">", valueEnd: "</parameter>", close: "</function>")
}
