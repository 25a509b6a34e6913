// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import JSON
import TestSupport
import Testing

@testable import Grammar

struct SchemaTests {
  @Test(arguments: SchemaSamples.all.indices)
  func `random documents of a schema are JSON, and masks allow what following bytes allows`(index: Int) throws {
    let schema = try JSONValue(parsing: SchemaSamples.all[index])
    var writer = RandomWriter(try Grammar(schema: schema), seed: UInt64(index))
    var complete = 0
    for _ in 0..<6 {
      guard let text = writer.text() else { continue }
      complete += 1
      #expect(throws: Never.self, "\(SchemaSamples.all[index]): \(String(decoding: text, as: UTF8.self))") {
        try JSONValue(parsing: text)
      }
      // The same text again, with each mask checked token by token.
      writer.matcher.reset()
      for byte in text.prefix(60) {
        let mask = writer.matcher.allowedTokens()
        for token in SmallVocabulary.tokens.indices where mask[token] != writer.matcher.allows(token: token) {
          Issue.record("\(SchemaSamples.all[index]): the mask is wrong for token \(token)")
        }
        #expect(writer.matcher.accept(byte: byte))
      }
    }
    #expect(complete >= 3, Comment(rawValue: SchemaSamples.all[index]))
  }

  @Test(.enabled(if: PythonValidator.isInstalled, Comment(rawValue: PythonValidator.absence)))
  func `Python's jsonschema validates every random document`() throws {
    var lines: [String] = []
    for (index, source) in SchemaSamples.all.enumerated() {
      let schema = try JSONValue(parsing: source)
      var writer = RandomWriter(try Grammar(schema: schema), seed: UInt64(1000 + index))
      for _ in 0..<25 {
        guard let text = writer.text() else { continue }
        let document = JSONValue.string(String(decoding: text, as: UTF8.self))
        lines.append(JSONValue.array([schema, document]).description)
      }
    }
    #expect(SchemaSamples.all.count >= 60)
    #expect(lines.count > SchemaSamples.all.count * 20)
    let complaints = try PythonValidator.complaints(about: lines)
    #expect(complaints.isEmpty, Comment(rawValue: complaints.prefix(20).joined(separator: "\n")))
  }

  @Test(arguments: [
    (#""\ud83d\ude42""#, true), (#""\uD83D\uDE42""#, true), (#""\ud83d""#, false), (#""\ude42""#, false),
    (#""\ud83d\ud83d""#, false), (#""\ud83d\n""#, false), (#""\ud83d\ude42a""#, false),
  ])
  func `the escapes of a surrogate pair are one character, and half of one is none`(document: String, isAllowed: Bool) throws {
    let writer = RandomWriter(try Grammar(schema: ["type": "string", "maxLength": 1]), seed: 0)
    #expect(document.utf8.allSatisfy { writer.matcher.accept(byte: $0) } == isAllowed)
  }

  @Test(arguments: SchemaSamples.refused.indices)
  func `a keyword that cannot be enforced is refused by name`(index: Int) throws {
    let (source, keyword) = SchemaSamples.refused[index]
    let error = #expect(throws: GrammarError.self) { try Grammar(schema: JSONValue(parsing: source)) }
    guard case .unsupported(let named, _, _) = error else {
      Issue.record("\(source): \(error.map(String.init(describing:)) ?? "")")
      return
    }
    #expect(named == keyword)
  }

  @Test(arguments: [
    ##"false"##, ##"{"type": "integer", "minimum": 5, "maximum": 4}"##, ##"{"type": "string", "minLength": 5, "maxLength": 4}"##,
    ##"{"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}"##, ##"{"type": "strin"}"##,
    ##"{"enum": [], "type": "null"}"##,
    ##"{"type": "object", "required": ["a"], "properties": {}, "additionalProperties": false}"##, ##"{"$ref": "#/nowhere"}"##,
    ##"[1]"##,
  ])
  func `a schema that no document satisfies is refused`(source: String) throws {
    let error = #expect(throws: GrammarError.self) { try Grammar(schema: JSONValue(parsing: source)) }
    if case .unsupported = error { Issue.record("\(source): \(String(describing: error))") }
  }

  @Test(arguments: [
    ##"{"allOf": 5}"##, ##"{"allOf": {}}"##, ##"{"allOf": []}"##, ##"{"anyOf": 5}"##, ##"{"oneOf": []}"##,
    ##"{"allOf": [{"allOf": 5}]}"##, ##"{"properties": [1]}"##, ##"{"required": "a"}"##, ##"{"required": [1]}"##,
    ##"{"prefixItems": {"type": "string"}}"##, ##"{"type": ["string", 5]}"##, ##"{"enum": 5}"##, ##"{"items": 5}"##,
    ##"{"allOf": [{"required": "a"}]}"##, ##"{"properties": {"a": {"properties": 1}}}"##, ##"{"type": 5}"##, ##"{"type": "any"}"##,
  ])
  func `a keyword whose value is not of its form is refused, and not ignored`(source: String) throws {
    let error = #expect(throws: GrammarError.self) { try Grammar(schema: JSONValue(parsing: source)) }
    guard case .invalidSchema = error else {
      Issue.record("\(source): \(String(describing: error))")
      return
    }
  }

  @Test func `a text is refused where it leaves the schema`() throws {
    let schema = try JSONValue(
      parsing: ##"{"type": "object", "properties": {"n": {"type": "integer", "maximum": 12}}, "required": ["n"]}"##)
    let matcher = GrammarMatcher(try Grammar(schema: schema), trie: SmallVocabulary.trie)
    for byte in ##"{"n": 1"##.utf8 { #expect(matcher.accept(byte: byte)) }
    #expect(!matcher.isComplete)
    #expect(!matcher.accept(byte: UInt8(ascii: "3")))
    #expect(matcher.accept(byte: UInt8(ascii: "2")))
    #expect(matcher.accept(byte: UInt8(ascii: "}")))
    #expect(matcher.isComplete && matcher.mustEnd)
  }

  @Test("A pattern that can be read in too many ways ends the answer, and does not hold it up", .timeLimit(.minutes(10)))
  func ambiguousPattern() throws {
    let schema = try JSONValue(parsing: ##"{"type": "string", "pattern": "^(?:x?){5000}x{5000}$"}"##)
    let matcher = GrammarMatcher(try Grammar(schema: schema), trie: SmallVocabulary.trie)
    #expect(matcher.accept(byte: UInt8(ascii: "\"")))
    for _ in 0..<30 where !matcher.isOverloaded {
      _ = matcher.allowedTokens()
      _ = matcher.accept(byte: UInt8(ascii: "x"))
    }
    #expect(matcher.isOverloaded && !matcher.isComplete && !matcher.mustEnd)
    #expect(matcher.allowedTokens() == TokenMask(vocabularySize: SmallVocabulary.trie.vocabularySize))
  }
}
