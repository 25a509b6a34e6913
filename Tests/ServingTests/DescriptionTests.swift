// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ChatTemplates
import Foundation
import Generation
import JSON
import TestSupport
import Testing

@testable import Serving
@testable import Tokenization

@Suite("The published description of the interfaces")
struct DescriptionTests {
  private static let sources = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Sources")

  private func text(_ path: String) throws -> String {
    try String(contentsOf: Self.sources.appending(path: path), encoding: .utf8)
  }

  @Test("The description has every address that the server answers at, and no other")
  func addresses() throws {
    let routes = try text("packserve/Routes.swift")
    var addresses: Set<String> = []
    for match in routes.matches(of: /"(\/[a-z0-9_.\/:*-]+)"/) {
      addresses.insert(String(match.1).replacingOccurrences(of: "**", with: "{name}"))
    }
    let document = try JSONValue(parsing: OpenAPI.text)
    #expect(Set(document["paths"]?.object?.members.map(\.name) ?? []) == addresses)
    let names = document["paths"]?.object?.members.compactMap { path in
      (path.value["get"] ?? path.value["post"])?["operationId"]?.string
    }
    #expect(names?.count == addresses.count && Set(names ?? []).count == addresses.count)
  }

  @Test(
    "The description has every field that a request's reader asks for",
    arguments: [
      ("AnswerFields.swift", ["Sampling", "MessageAnswer"]),
      ("OpenAI/ChatCompletionRequest.swift", ["Conversation", "ChatAnswer"]),
      ("OpenAI/Completion.swift", ["Completion"]), ("OpenAI/ResponsesRequest.swift", ["Response"]),
      ("OpenAI/Embeddings.swift", ["Embedding"]),
      ("Anthropic/MessagesRequest.swift", ["Message", "MessageAnswer"]), ("TextRequest.swift", ["Text", "Tokens"]),
    ])
  func fields(file: String, schemas: [String]) throws {
    let document = try JSONValue(parsing: OpenAPI.text)
    var described: Set<String> = ["tokens"]
    for schema in schemas {
      let properties = document["components"]?["schemas"]?[schema]?["properties"]?.object?.members ?? []
      described.formUnion(properties.map(\.name))
    }
    var read: Set<String> = []
    for match in try text("Serving/Interfaces/" + file).matches(
      of: /fields(?:\.(?:bool|integer|number|string|strings|objects|fields|word)\(|\[)"([a-z_]+)"/)
    {
      read.insert(String(match.1))
    }
    #expect(!read.isEmpty && read.subtracting(described).isEmpty, "\(read.subtracting(described).sorted())")
  }

  @Test("Each reference in the description leads to something")
  func references() throws {
    let document = try JSONValue(parsing: OpenAPI.text)
    for match in OpenAPI.text.matches(of: /"\$ref": "#\/([^"]+)"/) {
      var value: JSONValue? = document
      for part in match.1.split(separator: "/") { value = value?[String(part)] }
      #expect(value != nil, "\(match.1)")
    }
  }
}
