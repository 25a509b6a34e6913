// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ChatTemplates
import Foundation
import GGUF
import JSON
import TestSupport
import Testing

@testable import Generation
@testable import Tokenization

/// The chat templates of many models; see ../shared/oracles/templates/README.md.
enum Oracles {
  /// The folder with the templates, or nil where this checkout has none beside it.
  static let folder: URL? = {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    var candidates = [root.deletingLastPathComponent().appending(path: "shared/oracles")]
    if let named = ProcessInfo.processInfo.environment["GGUFPACK_SHARED"] {
      candidates.insert(URL(fileURLWithPath: named).appending(path: "oracles"), at: 0)
    }
    let folders = candidates.map { $0.appending(path: "templates") }
    return folders.first { FileManager.default.fileExists(atPath: $0.appending(path: "features.json").path) }
  }()

  static let absence: Comment = "no ../shared/oracles/templates here; GGUFPACK_SHARED may name the folder that holds `oracles`"

  /// The names of the templates.
  static let templates: [String] = {
    guard let folder else { return [] }
    let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return files.filter { $0.hasSuffix(".jinja") }.map { String($0.dropLast(6)) }.sorted()
  }()

  static func text(_ file: String) throws -> String {
    let data = try Data(contentsOf: #require(folder, absence).appending(path: file))
    return try #require(String(data: data, encoding: .utf8))
  }

  /// A template with a small vocabulary that has its model's special tokens.
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

  /// A request without turns, with what some templates do not do without.
  static func request(_ name: String) throws -> ChatRequest {
    var request = ChatRequest(messages: [])
    if ["Firefunction-v2", "Hermes-2-Pro-tool_use", "Command-R-plus-tool_use"].contains(name) {
      // A case that the template does not refuse has tools in the form that it wants.
      let cases = try JSONValue(parsing: text(name + ".json")).array ?? []
      request.tools = try #require(cases.first { $0["expected"] != nil && $0["tools"] != nil })["tools"]
      request.variables = ["functions": "[]", "datetime": "now"]
    }
    return request
  }
}
