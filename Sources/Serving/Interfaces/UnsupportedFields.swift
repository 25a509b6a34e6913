// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import JSON

extension Fields {
  /// Throws if a field asks for something that would change the answer and that this server does not do.
  ///
  /// Other unknown fields are ignored: most of them only record something, or save work without changing the answer.
  func refuseUnsupported() throws(InterfaceError) {
    for (name, field) in UnsupportedField.all {
      guard let value = self[name], !field.off.contains(value) else { continue }
      throw .unsupported(field: name, problem: field.problem)
    }
  }
}

/// A field of OpenAI's or Anthropic's interface, of llama.cpp's server or of vLLM that is only accepted with a value that turns it off.
private struct UnsupportedField {
  /// The values that turn it off.
  let off: [JSONValue]
  /// Why it is refused, and what to do instead.
  let problem: String

  static let all: KeyValuePairs<String, UnsupportedField> = [
    // OpenAI.
    "functions": .init(off: [[]], problem: "use tools, which took its place"),
    "function_call": .init(off: ["none", "auto"], problem: "use tool_choice, which took its place"),
    "modalities": .init(off: [[], ["text"]], problem: "answers are texts only"),
    "audio": .init(off: [], problem: "answers are texts only"),
    "web_search_options": .init(off: [], problem: "packserve does not search the web"),
    // Anthropic.
    "mcp_servers": .init(off: [[]], problem: "packserve asks no other servers; let the client do it, with tools"),
    // llama.cpp's server.
    "mirostat": sampling(off: 0), "typical_p": sampling(off: 1), "dynatemp_range": sampling(off: 0),
    "xtc_probability": sampling(off: 0), "dry_multiplier": sampling(off: 0), "top_n_sigma": .init(off: [-1, 0], problem: chosen),
    "samplers": .init(off: [], problem: chosen), "min_keep": sampling(off: 0),
    "n_probs": .init(off: [0], problem: "use logprobs"),
    "n_indent": .init(off: [0], problem: "use a grammar"),
    "t_max_predict_ms": .init(off: [0, -1], problem: "use max_tokens"),
    "image_data": .init(off: [[]], problem: "only text is read"),
    "lora": .init(off: [[]], problem: "adapters are not applied; merge it into the model, then convert that"),
    "reasoning_format": .init(off: ["auto", "deepseek"], problem: "what a model thinks is always in reasoning_content"),
    "chat_template": .init(off: [], problem: "packserve --template or --template-file chooses it for all requests"),
    // vLLM.
    "guided_json": .init(off: [], problem: "use response_format, or json_schema"),
    "guided_grammar": .init(off: [], problem: "use grammar, in llama.cpp's GBNF"),
    "guided_regex": .init(off: [], problem: "use response_format, with a schema that has a pattern"),
    "guided_choice": .init(off: [], problem: "use response_format, with a schema that has an enum"),
    "structured_outputs": .init(off: [[:]], problem: "use response_format, or grammar"),
    "min_tokens": .init(off: [0], problem: "use ignore_eos with max_tokens"),
    "stop_token_ids": .init(off: [[]], problem: "use stop, with the tokens' texts"),
    "bad_words": .init(off: [[]], problem: "use logit_bias, with -100 for their tokens"),
    "allowed_token_ids": .init(off: [], problem: "use grammar, in llama.cpp's GBNF"),
    "use_beam_search": .init(off: [false], problem: chosen), "length_penalty": sampling(off: 1),
    "prompt_logprobs": .init(off: [], problem: "only answers get probabilities; packrun logits computes those of a text"),
    "include_stop_str_in_output": .init(off: [false], problem: "a stop string is never part of the answer"),
    "skip_special_tokens": .init(off: [true], problem: "control tokens are never part of the answer"),
    "truncate_prompt_tokens": .init(off: [-1], problem: "a prompt that does not fit is refused"),
    "continue_final_message": .init(off: [false], problem: "an answer is always a turn of its own"),
    // What other services call at the top level.
    "enable_thinking": .init(off: [], problem: "write it within chat_template_kwargs"),
  ]

  private static let chosen =
    "tokens are chosen by temperature, top_k, top_p, min_p, repeat_penalty, presence_penalty, frequency_penalty and logit_bias only"

  /// A way to choose tokens that a number turns off.
  private static func sampling(off number: Int128) -> UnsupportedField {
    .init(off: [.integer(number), .number(Double(number))], problem: chosen)
  }
}
