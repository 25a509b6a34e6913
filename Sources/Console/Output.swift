// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc
import JSON
import Synchronization

/// Standard output, which carries a program's results.
///
/// The first failure is recorded. It ends the program with a line and exit code 1 (see `Launch`), so that no command can forget to check.
/// Later output is dropped.
package enum Output {
  private static let failure = Atomic<CInt>(0)

  /// The errno of the first write that failed; nil if none did.
  package static var error: CInt? {
    let error = failure.load(ordering: .relaxed)
    return error == 0 ? nil : error
  }

  /// Whether output is lost, so that producing more is useless.
  package static var hasFailed: Bool { error != nil }

  /// Writes `text` immediately and unchanged.
  package static func write(_ text: String) { write(Array(text.utf8)) }

  /// Writes `bytes` immediately and unchanged.
  package static func write(_ bytes: [UInt8]) {
    guard !hasFailed, !bytes.isEmpty else { return }
    let error = StandardStream.output.write(bytes)
    if error != 0 { failure.store(error, ordering: .relaxed) }
  }

  /// Writes `text` and the end of a line.
  package static func print(_ text: String) { write(text + "\n") }

  /// Writes a line for people, broken between words at a terminal.
  ///
  /// - Parameter indent: As in `breakingBetweenWords(columns:indent:)`.
  package static func print(line: String, indent: Int = 2) {
    print(StandardStream.output.columns.map { line.breakingBetweenWords(columns: $0, indent: indent) } ?? line)
  }

  /// Writes lines for people, broken between words at a terminal.
  package static func print(lines: [String]) { for line in lines { print(line: line) } }

  /// Writes one JSON document, indented and sorted by key, with `schemaVersion` 1 added.
  package static func print(document: JSONObject) { print(document.versioned.text(indented: true)) }

  /// Writes one line of JSON, sorted by key.
  package static func print(event: JSONObject) { print(JSONValue.object(event).text(indented: false)) }
}
