// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation

/// Runs `body` with the path of an empty folder in `parent` that is removed afterwards.
package func withTemporaryFolder<Result>(
  in parent: URL = FileManager.default.temporaryDirectory, _ body: (String) throws -> Result
) throws -> Result {
  let folder = parent.appending(path: "ggufpack-test-\(UUID().uuidString)").path
  try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(atPath: folder) }
  return try body(folder)
}
