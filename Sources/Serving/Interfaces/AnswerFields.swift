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
  /// The grammar of the answer; nil: any text.
  var grammar: Grammar?

  /// Reads the fields.
  ///
  /// - Parameter vocabularySize: The number of tokens that the model knows.
  init(_ fields: Fields, vocabularySize: Int) throws(InterfaceError) {
    // There is one model, which every name stands for: clients often insist on one of their own.
    _ = try fields.string("model")
    try fields.refuseUnsupported()
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
    sampling.logitBias = try Self.logitBias(fields, vocabularySize)
    for name in ["max_tokens", "max_completion_tokens", "n_predict"] {
      guard let limit = try Self.tokenLimit(fields, name) else { continue }
      maximumTokens = limit == -1 ? nil : limit
    }
    stopStrings = try fields.strings("stop", atMost: 16)
    ignoresEnd = try fields.bool("ignore_eos") ?? false
    count = try fields.integer("n", in: 1...16) ?? 1
    isStreamed = try fields.bool("stream") ?? false
    includesUsage = try fields.fields("stream_options")?.bool("include_usage") ?? false
    grammar = try Self.grammar(fields)
  }

  /// Reads the grammar of the answer: in GBNF, or as a JSON Schema. These are llama.cpp's fields.
  private static func grammar(_ fields: Fields) throws(InterfaceError) -> Grammar? {
    let text = try fields.string("grammar") ?? ""
    guard let schema = fields["json_schema"] else {
      do throws(GrammarError) { return text.isEmpty ? nil : try Grammar(gbnf: text) } catch {
        throw .bad(field: "grammar", problem: "cannot be used: \(error)")
      }
    }
    guard text.isEmpty else { throw .bad(field: "grammar", problem: "cannot be given together with json_schema") }
    return try Grammar(schema: schema, field: "json_schema")
  }

  private static func tokenLimit(_ fields: Fields, _ name: String) throws(InterfaceError) -> Int? {
    guard let value = fields[name] else { return nil }
    guard let limit = value.integer ?? value.wholeNumber, limit == -1 || (1...1 << 30).contains(limit) else {
      throw .bad(field: name, problem: "is \(value.shortened); it must be an integer, 1 to \(1 << 30), or -1 for no limit")
    }
    return limit
  }

  private static func seed(_ fields: Fields) throws(InterfaceError) -> UInt64 {
    guard let value = fields["seed"], value != -1 else { return .random(in: .min ... .max) }
    guard case .integer(let integer) = value,
      let seed = UInt64(exactly: integer) ?? Int64(exactly: integer).map(UInt64.init(bitPattern:))
    else { throw .bad(field: "seed", problem: "is \(value.shortened); it must be a 64-bit integer") }
    return seed
  }

  private static func logitBias(_ fields: Fields, _ vocabularySize: Int) throws(InterfaceError) -> [Int32: Float] {
    guard let value = fields["logit_bias"] else { return [:] }
    guard let members = value.object?.members else { throw .bad(field: "logit_bias", problem: "must be an object") }
    var biases: [Int32: Float] = [:]
    for (name, value) in members {
      guard let token = Int32(name), token >= 0, "\(token)" == name, let bias = value.double, (-100...100).contains(bias) else {
        throw .bad(field: "logit_bias", problem: "must have token ids as names and numbers, -100 to 100, as values")
      }
      guard token < vocabularySize else {
        throw .notAToken(token, field: "logit_bias", vocabularySize: vocabularySize)
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

extension Grammar {
  /// Compiles the schema in a field of a request.
  init(schema: JSONValue, field: String) throws(InterfaceError) {
    do throws(GrammarError) { try self.init(schema: schema) } catch {
      throw .bad(field: field, problem: "has a schema that cannot be used: \(error)")
    }
  }
}
