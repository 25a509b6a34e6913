// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ChatTemplates
import JSON
import TestSupport
import Testing

/// Texts that models write, compared with their meaning.
@Suite(.enabled(if: Oracles.folder != nil, Oracles.absence))
struct TurnOracleTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let model: String
    let tools: JSONValue?
    let oracle: JSONValue

    var testDescription: String { model }
    var name: Comment { Comment(rawValue: "\(model): \(oracle["name"]?.string ?? "")") }
    var output: String { oracle["output"]?.string ?? "" }
    var promptEnd: String { oracle["prompt_end"]?.string ?? "" }
    var isDoubtful: Bool { oracle["note"]?.string?.hasPrefix("doubtful") ?? false }

    func format() throws -> TurnFormat { TurnFormat(recognizedIn: try Oracles.text(model + ".jinja")) }
  }

  static let models: [(name: String, cases: [Case])] = {
    guard let oracles = try? Oracles.json("tools.json") else { return [] }
    return (oracles["models"]?.array ?? []).map { model in
      let name = model["model"]?.string ?? ""
      return (name, (model["cases"]?.array ?? []).map { Case(model: name, tools: oracles["tools"], oracle: $0) })
    }
  }()

  @Test(arguments: models.map(\.name))
  func `a model's output is taken apart`(model: String) throws {
    for oracle in try #require(Self.models.first { $0.name == model }).cases where !oracle.isDoubtful {
      let turn = try TurnParser.turn(of: oracle.output, format: oracle.format(), prompt: oracle.promptEnd, tools: oracle.tools)
      let calls: JSONValue = .array(turn.calls.map { ["name": .string($0.name), "arguments": .object($0.arguments)] })
      #expect(calls == oracle.oracle["tool_calls"], oracle.name)
      #expect(Self.trimmed(turn.reasoning) == Self.trimmed(oracle.oracle["reasoning_content"]?.string), oracle.name)
      let content = Self.trimmed(oracle.oracle["content"]?.string)
      if oracle.oracle["incomplete"] == true {
        // The text of a call that was cut off may or may not be shown; here it is.
        #expect(Self.trimmed(turn.content).hasPrefix(content), oracle.name)
      } else {
        #expect(Self.trimmed(turn.content) == content, oracle.name)
      }
    }
  }

  @Test(arguments: models.map(\.name))
  func `the output may be cut anywhere`(model: String) throws {
    var random = SplitMix64(seed: 7)
    for oracle in try #require(Self.models.first { $0.name == model }).cases {
      let format = try oracle.format()
      let whole = TurnParser.turn(of: oracle.output, format: format, prompt: oracle.promptEnd, tools: oracle.tools)
      // Byte by byte, and in random pieces.
      for longest in [1, 2, 5, 40] {
        var parser = TurnParser(format: format, prompt: oracle.promptEnd, tools: oracle.tools)
        var turn = Turn()
        var rest = Array(oracle.output.utf8)[...]
        while !rest.isEmpty {
          let piece = rest.prefix(Int.random(in: 1...longest, using: &random))
          rest = rest.dropFirst(piece.count)
          for event in parser.append(piece) { turn.append(event) }
        }
        for event in parser.finish() { turn.append(event) }
        #expect(turn == whole, oracle.name)
      }
    }
  }

  private static func trimmed(_ text: String?) -> String {
    let scalars = (text ?? "").unicodeScalars.drop { $0.properties.isWhitespace }
    return String(String.UnicodeScalarView(scalars.reversed().drop { $0.properties.isWhitespace }.reversed()))
  }
}

/// Turns that the oracles do not have.
struct TurnTests {
  private static let marks = [
    "<think>", "</think>", "<tool_call>", "</tool_call>", "{\"name\": \"f\", \"arguments\": {\"a\": [1, \"</tool_call>\"]}}", "{",
    "}", "[", ",",
    "<function=f>", "<parameter=a>", "</parameter>", "</function>", "[TOOL_CALLS]", "[ARGS]", "f", "<arg_key>", "</arg_key>",
    "<arg_value>", "</arg_value>", "<|channel|>analysis<|message|>", "<|channel|>commentary to=functions.f<|message|>", "<|end|>",
    "<|start|>assistant", "<|tool_call>call:f{a:<|\"|>x<|\"|>}<tool_call|>", "<|tool_call>", "text", " ", "\n", "é", "🙂",
    "functools[", "<|tools_prefix|>", "[{\"f\": {}}]", "<invoke name=\"f\">", "<minimax:tool_call>", "</minimax:tool_call>",
  ]

  /// Returns what a parser makes of bytes that arrive in pieces of limited length.
  private static func turn(_ bytes: [UInt8], _ format: TurnFormat, longest: Int, _ random: inout SplitMix64) -> Turn {
    var parser = TurnParser(format: format)
    var turn = Turn()
    var rest = bytes[...]
    while !rest.isEmpty {
      let piece = rest.prefix(Int.random(in: 1...longest, using: &random))
      rest = rest.dropFirst(piece.count)
      for event in parser.append(piece) { turn.append(event) }
    }
    for event in parser.finish() { turn.append(event) }
    return turn
  }

  @Test(arguments: TurnFormat.names)
  func `random outputs mean the same however they are cut`(name: String) throws {
    let format = try #require(TurnFormat(named: name))
    var random = SplitMix64(seed: UInt64(name.utf8.count) &* 977)
    for _ in 0..<300 {
      var bytes: [UInt8] = []
      for _ in 0..<Int.random(in: 1...12, using: &random) {
        bytes += (Self.marks.randomElement(using: &random) ?? "").utf8
        if Int.random(in: 0..<20, using: &random) == 0 { bytes.append(UInt8.random(in: 0...255, using: &random)) }
      }
      let whole = Self.turn(bytes, format, longest: bytes.count, &random)
      for longest in [1, 3, 9] {
        let cut = Self.turn(bytes, format, longest: longest, &random)
        #expect(cut == whole, "\(name): \(String(decoding: bytes, as: UTF8.self))")
      }
    }
  }

  @Test func `text streams as it comes, but for what may become a mark`() throws {
    var parser = TurnParser(format: try #require(TurnFormat(named: "hermes")))
    #expect(parser.append("Hello wor".utf8) == [.content("Hello wor")])
    #expect(parser.append("ld <tool".utf8) == [.content("ld")])
    #expect(parser.append("s>".utf8) == [.content(" <tools>")])
    #expect(parser.finish() == [])
  }

  @Test func `a call's mark within its own arguments does not end it`() throws {
    let output = #"<tool_call>{"name": "f", "arguments": {"a": "</tool_call>"}}</tool_call>"#
    let turn = TurnParser.turn(of: output, format: try #require(TurnFormat(named: "hermes")))
    #expect(turn.calls == [ToolCall(name: "f", arguments: ["a": "</tool_call>"])])
    #expect(turn.content == "")
  }

  @Test func `what is not a call stays content`() throws {
    for output in ["a <tool_call> b", "<tool_call>{\"x\": 1}</tool_call>", "<tool_call>{\"name\": \"f\", \"arg", "<tool_call>"] {
      let turn = TurnParser.turn(of: output, format: try #require(TurnFormat(named: "hermes")))
      #expect(turn.content == output)
      #expect(turn.calls.isEmpty)
    }
  }

  @Test func `bytes that are not UTF-8 become replacement characters`() throws {
    var parser = TurnParser(format: try #require(TurnFormat(named: "plain")))
    var turn = Turn()
    for event in parser.append([0x61, 0xE2, 0x82]) + parser.append([0x41]) + parser.finish() { turn.append(event) }
    #expect(turn.content == "a\u{FFFD}A")
  }

  @Test func `a long call is read in time linear in its length`() throws {
    var parser = TurnParser(format: try #require(TurnFormat(named: "hermes")))
    let start = ContinuousClock.now
    var calls = 0
    func count(_ events: [TurnEvent]) { for case .call in events { calls += 1 } }
    count(parser.append("<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": \"".utf8))
    for _ in 0..<20_000 { count(parser.append("word ".utf8)) }
    count(parser.append("\"}}</tool_call>".utf8))
    #expect(calls == 1)
    #expect(ContinuousClock.now - start < .seconds(20))
  }
}
