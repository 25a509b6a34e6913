// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Generation
import Grammar
import JSON

/// The fields that all interfaces call by the same names: how tokens are chosen, and where an answer ends.
struct AnswerFields {
  var sampling = SamplingOptions()
  var maximumTokens: Int?
  var stopStrings: [String] = []
  var ignoresEnd = false
  /// The number of answers to each prompt.
  var count = 1
  var isStreamed = false
  var includesUsage = false
  /// A grammar in GBNF, as in llama.cpp's server.
  var grammar: Grammar?

  init(_ fields: Fields) throws(InterfaceError) {
    sampling.temperature = try fields.number("temperature", in: 0...100) ?? sampling.temperature
    // 0 would keep no token; the smallest positive number keeps the likeliest one.
    sampling.topP = try fields.number("top_p", in: 0...1).map { max($0, .leastNormalMagnitude) } ?? sampling.topP
    sampling.topK = max(0, try fields.integer("top_k", in: -1...1 << 30) ?? sampling.topK)
    sampling.minP = try fields.number("min_p", in: 0...1) ?? sampling.minP
    sampling.presencePenalty = try fields.number("presence_penalty", in: -2...2) ?? 0
    sampling.frequencyPenalty = try fields.number("frequency_penalty", in: -2...2) ?? 0
    for name in ["repetition_penalty", "repeat_penalty"] {
      sampling.repetitionPenalty = try fields.number(name, in: 0.01...100) ?? sampling.repetitionPenalty
    }
    sampling.repetitionWindow = try fields.integer("repeat_last_n", in: 0...1 << 20) ?? sampling.repetitionWindow
    sampling.seed = try Self.seed(fields)
    sampling.logitBias = try Self.logitBias(fields)
    maximumTokens = try fields.integer("max_tokens", in: -1...1 << 30)
    maximumTokens = try fields.integer("max_completion_tokens", in: -1...1 << 30) ?? maximumTokens
    if let limit = maximumTokens, limit < 0 { maximumTokens = nil }
    if maximumTokens == 0 { throw .bad(field: "max_tokens", problem: "is 0; it must be 1 or more") }
    stopStrings = try fields.strings("stop", atMost: 16)
    ignoresEnd = try fields.bool("ignore_eos") ?? false
    count = try fields.integer("n", in: 1...16) ?? 1
    isStreamed = try fields.bool("stream") ?? false
    includesUsage = try fields.fields("stream_options")?.bool("include_usage") ?? false
    if let text = try fields.string("grammar"), !text.isEmpty {
      do throws(GrammarError) { grammar = try Grammar(gbnf: text) } catch { throw .bad(field: "grammar", problem: "\(error)") }
    }
  }

  private static func seed(_ fields: Fields) throws(InterfaceError) -> UInt64 {
    guard let value = fields["seed"], value != -1 else { return .random(in: .min ... .max) }
    guard case .integer(let integer) = value,
      let seed = UInt64(exactly: integer) ?? Int64(exactly: integer).map(UInt64.init(bitPattern:))
    else { throw .bad(field: "seed", problem: "is \(value.shortened); it must be a 64-bit integer") }
    return seed
  }

  private static func logitBias(_ fields: Fields) throws(InterfaceError) -> [Int32: Float] {
    guard let value = fields["logit_bias"] else { return [:] }
    guard let members = value.object?.members else { throw .bad(field: "logit_bias", problem: "must be an object") }
    var biases: [Int32: Float] = [:]
    for (name, value) in members {
      guard let token = Int32(name), token >= 0, let bias = value.double, (-100...100).contains(bias) else {
        throw .bad(field: "logit_bias", problem: "must have token ids as names and numbers, -100 to 100, as values")
      }
      // Clients forbid a token with -100, but a large logit could outweigh that number.
      biases[token] = bias == -100 ? -.infinity : Float(bias)
    }
    return biases
  }

  /// Returns the requests for a prompt: one for each answer, each with its own seed.
  func requests(_ prompt: [Int32]) -> [AnswerRequest] {
    (0..<count).map { number in
      var request = AnswerRequest(prompt: prompt)
      request.sampling = sampling
      request.sampling.seed &+= UInt64(number)
      request.maximumTokens = maximumTokens
      request.stopStrings = stopStrings
      request.ignoresEnd = ignoresEnd
      request.grammar = grammar
      return request
    }
  }
}
