// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ChatTemplates
import JSON
import Testing

/// The templates of models' authors, compared with Jinja2's results.
@Suite(.enabled(if: Oracles.folder != nil, Oracles.absence))
struct TemplateTests {
  @Test(arguments: Oracles.templates)
  func `a template of a model's author renders every conversation as Jinja2 does`(name: String) throws {
    let template = try JinjaTemplate(Oracles.text(name + ".jinja"))
    for oracle in try #require(Oracles.json(name + ".json").array) {
      let oracle = try #require(oracle.object)
      var variables: JSONObject = ["tools": nil, "documents": nil]
      for key in ["messages", "tools", "add_generation_prompt", "bos_token", "eos_token"] {
        if let value = oracle[key] { variables[key] = value }
      }
      for (key, value) in oracle["extra"]?.object?.members ?? [] { variables[key] = value }
      let case_ = Comment(rawValue: "\(name): \(oracle["name"]?.string ?? "")")
      let result = Result { () throws(JinjaError) in try template.render(variables, date: Oracles.date).text }
      Self.expect(result, oracle, case_)
    }
  }

  @Test func `every small program does what it does in Jinja2`() throws {
    for oracle in try #require(Oracles.json("features.json").array) {
      let oracle = try #require(oracle.object)
      let source = try #require(oracle["template"]?.string)
      let result = Result { () throws(JinjaError) in
        try JinjaTemplate(source).render(oracle["context"]?.object ?? JSONObject(), date: Oracles.date).text
      }
      Self.expect(result, oracle, Comment(rawValue: oracle["name"]?.string ?? ""))
    }
  }

  /// Compares a result with an oracle: the text, or the error with its message and line.
  private static func expect(_ result: Result<String, JinjaError>, _ oracle: JSONObject, _ name: Comment) {
    if let expected = oracle["expected"]?.string {
      guard case .success(let text) = result else {
        Issue.record("\(name): \(result)")
        return
      }
      #expect(text.unicodeScalars.elementsEqual(expected.unicodeScalars), name)
      return
    }
    let kind = oracle["error_kind"]?.string ?? ""
    guard case .failure(let error) = result else {
      Issue.record("\(name): no \(kind), but \(result)")
      return
    }
    if kind == "raise_exception" { #expect(error.kind == .raised, name) }
    #expect(error.message == oracle["error"]?.string ?? "", name)
    guard let line = oracle["error_line"]?.integer else { return }
    if kind == "raise_exception" {
      #expect(error.position.line == line, name)
    } else {
      // For an expression over several lines Python names one of the lines, this engine that of the operator.
      #expect(abs(error.position.line - line) <= 1, name)
    }
  }
}
