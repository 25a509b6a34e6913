// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ChatTemplates
import GGUF
import Grammar
import JSON
import TestSupport
import Testing

@testable import Generation
@testable import Tokenization

@Suite("Answers with tools, kept within the forms of families", .enabled(if: Oracles.folder != nil, Oracles.absence))
struct CallGrammarTests {
  private static let oracle = (try? JSONValue(parsing: Oracles.text("tools.json"))) ?? .null
  static let models = (oracle["models"]?.array ?? []).compactMap { $0["model"]?.string }

  private static func cases(_ model: String) -> [JSONValue] {
    (oracle["models"]?.array ?? []).first { $0["model"]?.string == model }?["cases"]?.array ?? []
  }

  /// Returns the functions of the oracle, strict or not.
  private static func tools(strict: Bool) -> JSONValue {
    .array(
      (oracle["tools"]?.array ?? []).map { tool in
        var (tool, function) = (tool.object ?? JSONObject(), tool["function"]?.object ?? JSONObject())
        if strict { function["strict"] = true }
        tool["function"] = .object(function)
        return .object(tool)
      })
  }

  /// Returns the grammar of the answer to a prompt that ends with the given text.
  private func grammar(
    _ template: ChatTemplate, _ tokenizer: Tokenizer, _ tools: JSONValue, _ choice: ToolChoice, content: Grammar? = nil,
    promptEnd: String, many: Bool = true
  ) throws -> Grammar? {
    var work = SchemaWork()
    let offered = try (tools.array ?? []).map { (tool) throws(ChatTemplateError) in try OfferedTool(tool, within: &work) }
    let language = AnswerLanguage(
      format: template.turnFormat, tools: offered, choice: choice, allowsManyCalls: many, content: content)
    let shown = tokenizer.controlTokens(where: template.turnFormat.contains(mark:))
    return try Grammar(language.turn(after: promptEnd), controlTokens: Set(shown.map(tokenizer.text)))
  }

  @Test("What models write by their own decision is within the grammar of their answers", arguments: models)
  func oracles(model: String) throws {
    let (template, tokenizer) = try Oracles.model(model)
    let vocabulary = AnswerConstraint.Vocabulary(tokenizer)
    for item in Self.cases(model) where item["incomplete"] != true && item["note"] == nil {
      let output = item["output"]?.string ?? ""
      let calls = item["tool_calls"]?.array ?? []
      let end = item["prompt_end"]?.string ?? ""
      let grammar = try #require(
        try grammar(template, tokenizer, Self.tools(strict: false), .auto, promptEnd: end))
      let constraint = AnswerConstraint(grammar, vocabulary)
      var read: [Int32] = []
      for token in tokenizer.encode(output, addSpecial: false, parseSpecial: true) where !tokenizer.isEndOfGeneration(token) {
        guard constraint.accept(token) else {
          Issue.record(
            "\(model) \(item["name"]?.string ?? ""): after '\(tokenizer.decode(read, showsControl: true))' of '\(output)'")
          break
        }
        read.append(token)
      }
      if read.count == tokenizer.encode(output, addSpecial: false, parseSpecial: true).count {
        #expect(constraint.isComplete, "\(model) \(item["name"]?.string ?? ""): \(output)")
      }
      _ = calls
    }
  }

  /// Writes what the masks allow, and closes what is open once it is long; nil if it does not end.
  private func random(_ constraint: AnswerConstraint, _ tokenizer: Tokenizer, seed: UInt64) -> String? {
    var random = TestSupport.SplitMix64(seed: seed)
    var stream = TokenStream(tokenizer, showsControl: true)
    var text = ""
    for step in 0..<3000 {
      if constraint.mustEnd { return text + stream.finish() }
      if constraint.isComplete, step > 40 || random.next() % 4 == 0 { return text + stream.finish() }
      var logits = [Float](repeating: 0, count: tokenizer.count)
      constraint.apply(to: &logits)
      let allowed = logits.indices.filter { logits[$0] > -.infinity }
      guard !allowed.isEmpty else { return nil }
      // Once the text is long, closing characters come first; a mark is written letter by letter.
      let closing = step > 60 ? allowed.filter { "\"}])<".utf8.contains(tokenizer.bytes(of: Int32($0)).first ?? 0) } : []
      let choices = closing.isEmpty ? allowed : closing
      let token = Int32(choices[Int(random.next() % UInt64(choices.count))])
      constraint.accept(token)
      text += stream.append(token)
    }
    return nil
  }

  @Test(
    "Random tokens within the grammar of a forced call are calls whose arguments jsonschema accepts",
    .enabled(if: PythonValidator.isInstalled, Comment(rawValue: PythonValidator.absence)), arguments: models)
  func forced(model: String) throws {
    let (template, tokenizer) = try Oracles.model(model)
    let vocabulary = AnswerConstraint.Vocabulary(tokenizer)
    let item = try #require(Self.cases(model).first)
    let given = item["prompt_end"]?.string ?? ""
    // Random thinking hardly ever ends.
    let isThinking = template.turnFormat.isReasoning(after: given)
    let end = isThinking ? given + (template.turnFormat.reasoningClosing ?? "") : given
    let schema: JSONValue = [
      "type": "object",
      "properties": [
        "unit": ["type": "string", "enum": ["celsius", "kelvin"]], "days": ["type": "integer", "minimum": 1, "maximum": 9],
        "exact": ["type": "boolean"], "places": ["type": "array", "items": ["type": "integer"], "maxItems": 3],
      ],
      "required": ["unit", "days"], "additionalProperties": false,
    ]
    let tools: JSONValue = [["type": "function", "function": ["name": "get_weather", "parameters": schema, "strict": true]]]
    let allowed: Grammar?
    do {
      allowed = try grammar(template, tokenizer, tools, .required, promptEnd: end)
    } catch let error as ChatTemplateError {
      // It is refused by name, never ignored.
      #expect("\(error)".contains(template.turnFormat.name) && template.turnFormat.name == "gemma4", "\(error)")
      return
    }
    let constraint = AnswerConstraint(try #require(allowed), vocabulary)
    var (lines, complete): ([String], Int) = ([], 0)
    for seed in 0..<16 {
      constraint.reset()
      guard let text = random(constraint, tokenizer, seed: UInt64(seed)) else { continue }
      complete += 1
      let turn = TurnParser.turn(of: text, format: template.turnFormat, prompt: end, tools: tools)
      #expect(!turn.calls.isEmpty && turn.calls.allSatisfy { $0.name == "get_weather" }, "\(text)")
      for call in turn.calls {
        let arguments = JSONValue.object(call.arguments).description
        lines.append(JSONValue.array([schema, .string(arguments)]).description)
      }
    }
    #expect(complete > 2, "\(complete) of 16 came to an end")
    let complaints = try PythonValidator.complaints(about: lines)
    #expect(complaints.isEmpty, "\(complaints.prefix(3))")
  }

  @Test("For gpt-oss, a grammar applies only in the final channel")
  func harmony() throws {
    let (template, tokenizer) = try Oracles.model("gpt-oss-120b")
    let allowed = try #require(
      try grammar(
        template, tokenizer, [], .auto, content: Grammar(gbnf: #"root ::= "yes" | "no""#), promptEnd: "<|start|>assistant"))
    let constraint = AnswerConstraint(allowed, .init(tokenizer))
    func takes(_ text: String) -> Bool {
      constraint.reset()
      return tokenizer.encode(text, addSpecial: false, parseSpecial: true).allSatisfy { constraint.accept($0) }
        && constraint.isComplete
    }
    let thought = "<|channel|>analysis<|message|>Well, yes.<|end|><|start|>assistant"
    #expect(takes(thought + "<|channel|>final<|message|>yes") && takes("<|channel|>final<|message|>no"))
    #expect(!takes("yes") && !takes("<|channel|>final<|message|>maybe") && !takes(thought + "yes") && !takes(thought))
  }
}
