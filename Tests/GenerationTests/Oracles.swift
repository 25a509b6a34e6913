// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ChatTemplates
import GGUF
import JSON
import TestSupport
import Testing

@testable import Generation
@testable import Tokenization

typealias Oracles = TemplateOracles

extension TemplateOracles {
  static let absence = Comment(rawValue: absenceText)

  /// Returns a template, and a small vocabulary with its model's special tokens.
  static func model(_ name: String) throws -> (template: ChatTemplate, tokenizer: Tokenizer) {
    let source = try text(name + ".jinja")
    let cases = try JSONValue(parsing: text(name + ".json")).array ?? []
    let (begin, end) = (cases.first?["bos_token"]?.string ?? "<s>", cases.first?["eos_token"]?.string ?? "</s>")
    var marks = [begin, end]
    for match in source.matches(of: /<[|｜]?[\w▁:]+[|｜]?>|\[\/?[A-Z_]+\]/) where !marks.contains(String(match.0)) {
      marks.append(String(match.0))
    }
    var metadata = GGUFMetadata()
    metadata["tokenizer.chat_template"] = .text(source)
    let tokenizer = try Tokenizer(metadata: SmallVocabulary.byteLevel(control: marks, begin: 0, end: 1))
    var template = try ChatTemplate(nil, metadata: metadata, tokenizer: tokenizer)
    template.date = TemplateDate(year: 2024, month: 7, day: 26, hour: 14, minute: 5, second: 9)
    return (template, tokenizer)
  }

  /// Returns a request without turns that has everything some templates require.
  static func request(_ name: String) throws -> ChatRequest {
    var request = ChatRequest(messages: [])
    if ["Firefunction-v2", "Hermes-2-Pro-tool_use", "Command-R-plus-tool_use"].contains(name) {
      // A case that the template does not refuse has tools in the form that it expects.
      let cases = try JSONValue(parsing: text(name + ".json")).array ?? []
      request.tools = try #require(cases.first { $0["expected"] != nil && $0["tools"] != nil })["tools"]
      request.variables = ["functions": "[]", "datetime": "now"]
    }
    return request
  }
}
