// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation

/// Runs `body` with the path of an empty folder that is removed afterwards.
func withTemporaryFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
  let folder = FileManager.default.temporaryDirectory.appending(path: "gguf-\(UUID().uuidString)").path
  try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(atPath: folder) }
  return try body(folder)
}

/// The repository's folder of fixtures.
let fixturesFolder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../fixtures").standardized.path
