// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Generation
import JSON
import Tokenization

/// The members that all documents of one answer begin with.
struct AnswerIdentity: Sendable {
  private let id: String
  private let created: Int
  private let pack: ServedPack

  init(prefix: String, _ pack: ServedPack) {
    id = prefix + Self.randomDigits(24)
    created = UnixTime.now
    self.pack = pack
  }

  func document(object: String) -> JSONObject {
    [
      "id": .string(id), "object": .string(object), "created": .integer(Int128(created)), "model": .string(pack.name),
      "system_fingerprint": pack.fingerprint,
    ]
  }

  /// Returns random hexadecimal digits.
  static func randomDigits(_ count: Int) -> String {
    String((0..<count).map { _ in "0123456789abcdef".randomElement() ?? "0" })
  }
}

extension AnswerSummary {
  /// Why the answer ended, in OpenAI's words: `stop` only if it is complete.
  var finishReason: String {
    switch reason {
    case .endOfText, .stopString: isComplete ? "stop" : "length"
    case .length, .context, .noToken, .interrupted: "length"
    }
  }

  /// The times of the answer, in the form of llama.cpp's server.
  var timings: JSONValue {
    func rate(_ count: Int, _ seconds: Double) -> JSONValue { .number(seconds > 0 ? Double(count) / seconds : 0) }
    let read = promptTokens - cachedTokens
    return [
      "cache_n": .integer(Int128(cachedTokens)), "prompt_n": .integer(Int128(read)), "prompt_ms": .number(promptSeconds * 1000),
      "prompt_per_second": rate(read, promptSeconds), "predicted_n": .integer(Int128(answerTokens)),
      "predicted_ms": .number(answerSeconds * 1000), "predicted_per_second": rate(max(0, answerTokens - 1), answerSeconds),
      "queue_ms": .number(waitingSeconds * 1000),
    ]
  }

  /// Returns the token counts of some answers, in OpenAI's form.
  ///
  /// - Parameter prompts: The number of prompts; each has the same number of answers.
  static func usage(_ answers: [AnswerSummary], prompts: Int) -> JSONValue {
    let firsts = stride(from: 0, to: answers.count, by: max(answers.count / max(prompts, 1), 1)).map { answers[$0] }
    let prompt = firsts.reduce(0) { $0 + $1.promptTokens }
    let written = answers.reduce(0) { $0 + $1.answerTokens }
    return [
      "prompt_tokens": .integer(Int128(prompt)), "completion_tokens": .integer(Int128(written)),
      "total_tokens": .integer(Int128(prompt + written)),
      "prompt_tokens_details": ["cached_tokens": .integer(Int128(firsts.reduce(0) { $0 + $1.cachedTokens }))],
    ]
  }
}

extension TokenProbability {
  /// Returns the prediction of a token in the form of chat completions.
  func document(likeliest: [TokenProbability], _ tokenizer: Tokenizer) -> JSONValue {
    var document = entry(tokenizer)
    document["top_logprobs"] = .array(likeliest.map { .object($0.entry(tokenizer)) })
    return .object(document)
  }

  private func entry(_ tokenizer: Tokenizer) -> JSONObject {
    let bytes = tokenizer.bytes(of: token, showsControl: true)
    return [
      "token": .string(String(decoding: bytes, as: UTF8.self)), "logprob": .number(finiteLogarithm),
      "bytes": .array(bytes.map { .integer(Int128($0)) }),
    ]
  }

  /// A logarithm that JSON can write, at least -9999.
  var finiteLogarithm: Double { max(logarithm, -9999) }
}
