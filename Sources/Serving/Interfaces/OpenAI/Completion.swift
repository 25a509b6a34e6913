// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Generation
import JSON
import Tokenization

/// A request to `/v1/completions`, as described by OpenAI: prompts are continued without a template.
public enum CompletionRequest {
  /// The largest number of prompts in one request.
  private static let promptLimit = 64

  /// Reads the body of a request. Unknown fields are ignored.
  public static func read(_ body: JSONValue, _ pack: ServedPack) throws(InterfaceError) -> InterfaceRequest {
    let fields = try Fields(body)
    let answer = try AnswerFields(fields, vocabularySize: pack.tokenizer.count)
    if try fields.bool("echo") ?? false { throw .unsupported(field: "echo", problem: "prompts are not repeated") }
    if let suffix = try fields.string("suffix"), !suffix.isEmpty {
      throw .unsupported(field: "suffix", problem: "a text can only be continued")
    }
    if try fields.integer("best_of", in: 1...64) ?? answer.count != answer.count {
      throw .unsupported(field: "best_of", problem: "must equal n, because every computed answer is returned")
    }
    let likeliest = try fields.integer("logprobs", in: 0...20)
    let prompts = try fields.tokenLists(
      "prompt", pack.tokenizer, limit: promptLimit, allowsEmptyTexts: true,
      problem: "must be a string, an array of token ids, or an array of up to \(promptLimit) of these")
    let requests = prompts.flatMap { prompt in
      answer.requests(prompt).map { request in
        var request = request
        request.likeliestCount = likeliest
        return request
      }
    }
    let encoder = CompletionEncoder(pack, prompts: prompts.count, count: requests.count, includesUsage: answer.includesUsage)
    return InterfaceRequest(requests: requests, encoder: encoder, isStreamed: answer.isStreamed)
  }
}

/// Writes answers as OpenAI's completions.
struct CompletionEncoder: AnswerEncoder {
  private struct Choice {
    var text = ""
    var tokens: [AnswerToken] = []
    /// The offset of each token in the text, in characters.
    var offsets: [Int] = []
    var summary: AnswerSummary?
  }

  private let pack: ServedPack
  private let identity: AnswerIdentity
  private let includesUsage: Bool
  private let prompts: Int
  private var choices: [Choice]

  init(_ pack: ServedPack, prompts: Int, count: Int, includesUsage: Bool) {
    (self.pack, self.prompts, self.includesUsage) = (pack, prompts, includesUsage)
    identity = AnswerIdentity(prefix: "cmpl-", pack)
    choices = Array(repeating: Choice(), count: count)
  }

  mutating func begin() -> [ServerSentEvent] { [] }

  mutating func take(_ event: AnswerEvent, ofAnswer index: Int) -> [ServerSentEvent] {
    switch event {
    case .started, .read, .embedding: return []
    case .failed(let error): return [failure(.serving(error))]
    case .token(let token):
      let start = choices[index].tokens.count
      if token.probability != nil {
        choices[index].tokens.append(token)
        choices[index].offsets.append(choices[index].text.count)
      }
      choices[index].text += token.text
      guard !token.text.isEmpty || token.probability != nil else { return [] }
      return [chunk(index, token.text, start: start)]
    case .finished(let summary):
      choices[index].summary = summary
      return [chunk(index, "", start: choices[index].tokens.count, finish: .string(summary.finishReason))]
    }
  }

  mutating func finish() -> [ServerSentEvent] {
    guard includesUsage else { return [.done] }
    var document = identity.document(object: "text_completion")
    document["choices"] = []
    document["usage"] = AnswerSummary.usage(choices.compactMap(\.summary), prompts: prompts)
    return [ServerSentEvent(.object(document)), .done]
  }

  func failure(_ error: InterfaceError) -> ServerSentEvent { ServerSentEvent(error.openAI) }

  var document: JSONValue {
    var document = identity.document(object: "text_completion")
    document["choices"] = .array(
      choices.indices.map { index in
        .object(choice(index, choices[index].text, start: 0, finish: .string(choices[index].summary?.finishReason ?? "stop")))
      })
    document["usage"] = AnswerSummary.usage(choices.compactMap(\.summary), prompts: prompts)
    document["timings"] = choices.first?.summary?.timings
    return .object(document)
  }

  private func chunk(_ index: Int, _ text: String, start: Int, finish: JSONValue = .null) -> ServerSentEvent {
    var document = identity.document(object: "text_completion")
    document["choices"] = [.object(choice(index, text, start: start, finish: finish))]
    return ServerSentEvent(.object(document))
  }

  private func choice(_ index: Int, _ text: String, start: Int, finish: JSONValue) -> JSONObject {
    let tokens = choices[index].tokens[start...]
    var probabilities = JSONValue.null
    if !tokens.isEmpty {
      probabilities = [
        "tokens": .array(tokens.map { .string($0.id.map(pack.tokenizer.text) ?? "") }),
        "token_logprobs": .array(tokens.map { .number($0.probability?.finiteLogarithm ?? 0) }),
        "top_logprobs": .array(
          tokens.map { token in
            .object(
              JSONObject(token.likeliest.map { (pack.tokenizer.text(of: $0.token), .number($0.finiteLogarithm)) }))
          }),
        "text_offset": .array(choices[index].offsets[start...].map { .integer(Int128($0)) }),
      ]
    }
    return [
      "index": .integer(Int128(index)), "text": .string(text), "logprobs": probabilities, "finish_reason": finish,
    ]
  }
}
