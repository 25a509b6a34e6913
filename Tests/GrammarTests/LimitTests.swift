// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import JSON
import Testing

@testable import Grammar

/// Grammars and schemas that someone could send to keep a server busy or to end it.
@Suite(.timeLimit(.minutes(5)))
struct LimitTests {
  private static func refusal(_ make: () throws -> Grammar) -> GrammarError? {
    do { _ = try make() } catch { return error as? GrammarError }
    return nil
  }

  private static func parts(_ count: Int, _ part: (Int) -> JSONValue) -> JSONValue { .array((0..<count).map(part)) }

  private static func object(_ count: Int, _ member: (Int) -> (String, JSONValue)) -> JSONValue {
    .object(JSONObject((0..<count).map(member)))
  }

  /// Schemas whose compilation would take minutes, by name.
  private static let expensive: [String: JSONValue] = [
    "oneOf": ["oneOf": parts(20_000) { ["const": .integer(Int128($0))] }],
    "oneOf of enums": ["oneOf": parts(40) { part in ["enum": parts(2_000) { .integer(Int128(part * 2_000 + $0)) }] }],
    "oneOf of objects": [
      "oneOf": parts(4_000) { part in
        ["type": "object", "required": ["k"], "properties": ["k": ["const": .integer(Int128(part))]]]
      }
    ],
    "allOf of parts": ["allOf": parts(9_000) { ["properties": ["p\($0)": true], "required": [.string("p\($0)")]] }],
    "allOf of references": [
      "$defs": object(31) { number in
        let next: JSONValue = ["$ref": .string("#/$defs/d\(number + 1)")]
        return ("d\(number)", number == 30 ? ["type": "string"] : ["allOf": [next, next]])
      },
      "allOf": [["$ref": "#/$defs/d0"]],
    ],
    "long paths": [
      "properties": [
        String(repeating: "a", count: 3_900): ["properties": object(20_000) { ("p\($0)", true) }]
      ]
    ],
    "references to long names": [
      "$defs": [String(repeating: "a", count: 20_000): true],
      "properties": object(30) { _ in ("p", true) },
      "anyOf": parts(3_000) { _ in ["$ref": .string("#/$defs/" + String(repeating: "a", count: 300))] },
    ],
  ]

  @Test(arguments: expensive.keys.sorted())
  func `schemas whose parts multiply are refused soon`(name: String) throws {
    let schema = try #require(Self.expensive[name])
    #expect(Self.refusal { try Grammar(schema: schema) } != nil)
  }

  @Test
  func `the limit on the work holds for all schemas together`() throws {
    var work = SchemaWork()
    let schema: JSONValue = ["oneOf": Self.parts(150) { ["const": .integer(Int128($0))] }]
    var count = 0
    while Self.refusal({ try Grammar(schema: schema, within: &work) }) == nil { count += 1 }
    #expect((1...10).contains(count))
  }

  @Test
  func `texts longer than a megabyte and grammars with too many elements are refused`() {
    let long = String(repeating: "a", count: Grammar.greatestLength)
    #expect(Self.refusal { try Grammar(gbnf: "root ::= \"\(long)\"") } == .tooLong(limit: Grammar.greatestLength))
    #expect(Self.refusal { try Grammar(schema: ["const": .string(long)]) } == .tooLong(limit: Grammar.greatestLength))
    let limit = GrammarError.tooLarge(limit: Grammar.greatestSize)
    #expect(Self.refusal { try Grammar(gbnf: "root ::= \"\(long.prefix(500_000))\"") } == limit)
    #expect(Self.refusal { try Grammar(gbnf: "root ::= " + String(repeating: "\"a\"{9999} ", count: 60_000)) } == limit)
    let repeated = String(repeating: "a{9999}", count: 60_000)
    #expect(Self.refusal { try Grammar(schema: ["type": "string", "pattern": .string("^\(repeated)$")]) } == limit)
    #expect(Self.refusal { try Grammar(schema: ["enum": Self.parts(80_000) { .string("value\($0)") }]) } == limit)
  }

  @Test
  func `properties with long names beside further members are refused or compiled, without deep recursion`() throws {
    func schema(_ length: Int) -> JSONValue {
      ["properties": [String(repeating: "a", count: length): true], "additionalProperties": true]
    }
    #expect(Self.refusal { try Grammar(schema: schema(500_000)) } != nil)
    #expect(Self.refusal { try Grammar(schema: schema(3_000)) } == nil)
  }

  @Test
  func `long chains of rules and long arrays compile in linear time, without deep recursion`() throws {
    let count = 30_000
    let up = "root ::= r\(count)\n" + (1...count).map { "r\($0) ::= r\($0 - 1)\n" }.joined() + "r0 ::= \"a\"\n"
    let down = "root ::= r0\n" + (0..<count).map { "r\($0) ::= r\($0 + 1)\n" }.joined() + "r\(count) ::= \"a\"*\n"
    for source in [up, down] { #expect(Self.refusal { try Grammar(gbnf: source) } == nil) }
    for bounds in [["minItems": 9_999], ["minItems": 5_000, "maxItems": 9_999], ["maxItems": 9_999]] as [JSONObject] {
      var schema = bounds
      schema["items"] = ["type": "null"]
      #expect(Self.refusal { try Grammar(schema: .object(schema)) } == nil)
    }
  }

  @Test
  func `many required members without properties are found in linear time`() throws {
    let schema: JSONValue = [
      "properties": Self.object(8_000) { ("p\($0)", ["type": "null"]) }, "required": Self.parts(8_000) { .string("q\($0)") },
    ]
    #expect(Self.refusal { try Grammar(schema: schema) } != .tooManyCombinations)
  }
}
