// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ChatTemplates
import Foundation
import JSON
import Testing

/// Templates and what Jinja2 makes of them; see ../shared/oracles/templates/README.md.
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

  static func json(_ file: String) throws -> JSONValue { try JSONValue(parsing: text(file)) }

  /// 26 July 2024, a Friday: the present of all oracles.
  static let date = TemplateDate(year: 2024, month: 7, day: 26, hour: 14, minute: 5, second: 9)
}

extension [PromptPiece] {
  var text: String { map(\.text).joined() }
}
