// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation

/// Files made by other programs, with which tests compare results; see ../shared/oracles/README.md.
package enum SharedOracles {
  /// Returns the folder `oracles`, in the folder that GGUFPACK_SHARED names or beside the checkout; nil if neither has `file`.
  package static func folder(holding file: String) -> URL? {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    var candidates = [root.deletingLastPathComponent().appending(path: "shared/oracles")]
    if let named = ProcessInfo.processInfo.environment["GGUFPACK_SHARED"] {
      candidates.insert(URL(fileURLWithPath: named).appending(path: "oracles"), at: 0)
    }
    return candidates.first { FileManager.default.fileExists(atPath: $0.appending(path: file).path) }
  }
}

/// The chat templates of many models; see ../shared/oracles/templates/README.md.
package enum TemplateOracles {
  /// The folder with the templates; nil if this checkout has none beside it.
  package static let folder = SharedOracles.folder(holding: "templates/features.json")?.appending(path: "templates")

  package static let absenceText = "no ../shared/oracles/templates here; GGUFPACK_SHARED may name the folder that holds `oracles`"

  /// The names of the templates.
  package static let templates: [String] = {
    guard let folder else { return [] }
    let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return files.filter { $0.hasSuffix(".jinja") }.map { String($0.dropLast(6)) }.sorted()
  }()

  private struct Unreadable: Error, CustomStringConvertible {
    let description: String
  }

  /// Returns the text of a file in the folder.
  package static func text(_ file: String) throws -> String {
    guard let folder else { throw Unreadable(description: absenceText) }
    guard let text = String(data: try Data(contentsOf: folder.appending(path: file)), encoding: .utf8) else {
      throw Unreadable(description: "\(file) is not UTF-8")
    }
    return text
  }
}
