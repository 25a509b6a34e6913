// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ChatTemplates
import Generation
import JSON
import Tokenization

/// Requests that only need the vocabulary and the template, as in llama.cpp's server.
public enum TextRequest {
  /// Answers `/tokenize`: turns a text into tokens.
  public static func tokenize(_ body: JSONValue, _ pack: ServedPack) throws(InterfaceError) -> JSONValue {
    let fields = try Fields(body)
    let (content, prompt) = (try fields.string("content"), try fields.string("prompt"))
    guard let text = content ?? prompt else { throw .missing(field: "content") }
    let tokens = pack.tokenizer.encode(
      text, addSpecial: try fields.bool("add_special") ?? false, parseSpecial: try fields.bool("parse_special") ?? true)
    guard try fields.bool("with_pieces") ?? false else {
      return ["tokens": .array(tokens.map { .integer(Int128($0)) }), "count": .integer(Int128(tokens.count))]
    }
    return [
      "tokens": .array(tokens.map { ["id": .integer(Int128($0)), "piece": .string(pack.tokenizer.text(of: $0))] }),
      "count": .integer(Int128(tokens.count)),
    ]
  }

  /// Answers `/detokenize`: turns tokens into a text.
  public static func detokenize(_ body: JSONValue, _ pack: ServedPack) throws(InterfaceError) -> JSONValue {
    guard let values = try Fields(body)["tokens"] else { throw .missing(field: "tokens") }
    let tokens = (values.array ?? []).compactMap { $0.integer.flatMap(Int32.init(exactly:)) }
    guard let array = values.array, tokens.count == array.count,
      tokens.allSatisfy({ (0..<Int32(clamping: pack.tokenizer.count)).contains($0) })
    else { throw .bad(field: "tokens", problem: "must be an array of token ids") }
    return ["content": .string(pack.tokenizer.decode(tokens, showsControl: true))]
  }

  /// Answers `/apply-template`: turns a conversation into a prompt.
  public static func applyTemplate(_ body: JSONValue, _ pack: ServedPack) throws(InterfaceError) -> JSONValue {
    let conversation = try pack.conversation(ChatCompletionRequest.chatRequest(body))
    do throws(ChatTemplateError) {
      return ["prompt": .string(try conversation.template.render(conversation.request).map(\.text).joined())]
    } catch { throw .template(error) }
  }
}

extension ServedPack {
  /// Returns the answer to `/props`.
  ///
  /// - Parameter slots: The number of answers that are written at a time.
  public func properties(slots: Int) -> JSONValue {
    let template = try? template.get()
    return [
      "model_alias": .string(name), "pack_digest": .string(digest), "total_slots": .integer(Int128(slots)),
      "default_generation_settings": ["n_ctx": .integer(Int128(contextLength))],
      "bos_token": .string(template?.beginOfText ?? ""), "eos_token": .string(template?.endOfText ?? ""),
      "turn_format": template.map { .string($0.turnFormat.name) } ?? .null,
    ]
  }
}

extension SlotStatus {
  /// Returns the answer to `/slots`, which contains nothing of the conversations.
  public static func document(_ slots: [SlotStatus]) -> JSONValue {
    .array(
      slots.enumerated().map { index, slot in
        [
          "id": .integer(Int128(index)), "is_processing": .bool(slot.phase != .idle), "state": .string("\(slot.phase)"),
          "prompt_tokens": .integer(Int128(slot.promptTokens)), "cached_tokens": .integer(Int128(slot.cachedTokens)),
          "read_tokens": .integer(Int128(slot.readTokens)), "written_tokens": .integer(Int128(slot.writtenTokens)),
        ]
      })
  }
}
