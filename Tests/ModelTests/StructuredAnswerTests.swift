// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import Grammar
import JSON
import TestSupport
import Testing

@testable import Generation
@testable import Inference
@testable import Tokenization

/// Models with random weights choose almost evenly among all tokens, so what they write is within a grammar only if the grammar is
/// enforced.
@Suite("Answers within a grammar", .enabled(if: Oracles.folder != nil, Oracles.absence))
struct StructuredAnswerTests {
  /// The number of answers for each schema or grammar; GGUFPACK_ANSWERS sets another one for longer runs.
  private static let count = ProcessInfo.processInfo.environment["GGUFPACK_ANSWERS"].flatMap(Int.init) ?? 2

  private let model: Model
  private let tokenizer: Tokenizer
  private let vocabulary: AnswerConstraint.Vocabulary
  private let packed: PackedModel

  init() throws {
    packed = try PackedModel(Oracles.tinyFile("qwen3.Q4_K_M.gguf").path)
    tokenizer = try Tokenizer(metadata: packed.pack.metadata)
    var options = ModelOptions()
    options.contextLength = 2048
    model = try packed.model(options: options)
    vocabulary = AnswerConstraint.Vocabulary(tokenizer)
  }

  /// Returns an answer at temperature 2 among all tokens; nil if it was cut before it was complete.
  private func answer(_ grammar: Grammar, seed: UInt64) throws -> String? {
    var generator = Generator(model, tokenizer)
    generator.maximumTokens = 1500
    generator.constraint = AnswerConstraint(grammar, vocabulary)
    let options = SamplingOptions(temperature: 2, topK: 0, topP: 1, minP: 0, seed: seed)
    var sampler = Sampler(options, vocabularySize: model.vocabularySize)
    model.truncate(0, to: 0)
    var text = ""
    let prompt: [Int32] = [Int32(seed % 200) + 3]
    let result = try generator.run(prompt: prompt, sampler: &sampler, isInterrupted: { false }) { text += $1 }
    #expect(result.isComplete == (result.reason == .endOfText) || result.reason == .length)
    #expect(result.reason == .endOfText || result.reason == .length)
    return result.reason == .endOfText ? text : nil
  }

  @Test(
    "Documents of schemas are valid according to Python's jsonschema",
    .enabled(if: PythonValidator.isInstalled, Comment(rawValue: PythonValidator.absence)), .timeLimit(.minutes(60)))
  func schemas() throws {
    #expect(SchemaSamples.all.count >= 60)
    var lines: [String] = []
    var cut = 0
    for (index, source) in SchemaSamples.all.enumerated() {
      let schema = try JSONValue(parsing: source)
      let grammar = try Grammar(schema: schema)
      for number in 0..<Self.count {
        guard let text = try answer(grammar, seed: UInt64(index * 1000 + number)) else {
          cut += 1
          continue
        }
        lines.append(JSONValue.array([schema, .string(text)]).description)
      }
    }
    // Some schemas have documents without end, in which random choices rarely find one.
    #expect(lines.count > cut, "\(cut) answers were cut")
    let complaints = try PythonValidator.complaints(about: lines)
    #expect(complaints.isEmpty, "\(complaints.prefix(5))")
  }

  @Test(
    "Texts of a grammar match the grammar",
    arguments: [
      (#"root ::= "yes" | "no""#, "yes|no"),
      (#"root ::= [a-h] [1-8] ("x" | "-") [a-h] [1-8] [+#]?"#, "[a-h][1-8][x-][a-h][1-8][+#]?"),
      ("root ::= item{3}\nitem ::= \"- \" [^\\n]{1,9} \"\\n\"\n", "(?:- [^\\n]{1,9}\\n){3}"),
      (#"root ::= [äöü]+ "🙂" | "é"{2}"#, "[äöü]+🙂|éé"),
    ])
  func grammars(source: String, pattern: String) throws {
    let grammar = try Grammar(gbnf: source)
    let pattern = try NSRegularExpression(pattern: "^(?:\(pattern))$(?!\\n)")
    for number in 0..<Self.count * 10 {
      guard let text = try answer(grammar, seed: UInt64(number)) else { continue }
      #expect(pattern.numberOfMatches(in: text, range: NSRange(text.startIndex..., in: text)) == 1, "\(text)")
    }
  }

  @Test("After thinking, the grammar applies from the mark on")
  func afterMark() throws {
    // The tokenizer puts a space before a text, which this vocabulary has only as the bytes of U+2581.
    let grammar = try Grammar(gbnf: #"root ::= [ ▁]? ("yes" | "no")"#)
    let thinking = Language.free(FreeText([(text: "ok", next: .grammar(grammar))]))
    let constraint = AnswerConstraint(try Grammar(thinking), vocabulary)
    for token in tokenizer.encode("well ok", addSpecial: false, parseSpecial: false) {
      #expect(!constraint.isComplete)
      constraint.accept(token)
    }
    for token in tokenizer.encode("yes", addSpecial: false, parseSpecial: false) { #expect(constraint.accept(token)) }
    #expect(constraint.isComplete && constraint.mustEnd)
  }

  @Test("A constraint that allows all tokens with a logit changes nothing")
  func same() throws {
    let constraint = AnswerConstraint(try Grammar(gbnf: "root ::= .*"), vocabulary)
    let logits = (Int32(0)..<Int32(model.vocabularySize)).map { token in
      let text = tokenizer.bytes(of: token)
      return text.isEmpty || text.contains { $0 >= 0x80 } ? -Float.infinity : Float(token * 37 % 101) / 10
    }
    for seed in 0..<20 {
      var free = Sampler(SamplingOptions(seed: UInt64(seed)), vocabularySize: logits.count)
      var bound = free
      let (wanted, token) = (free.sample(logits.span), bound.sample(logits.span, within: constraint))
      #expect(token == wanted && token != nil)
    }
  }
}
