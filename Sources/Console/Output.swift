// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc
import JSON
import Synchronization

/// Standard output, which carries a program's results.
///
/// The first failure is kept and ends the program with a line and exit code 1 (see `Launch`), so that no command can forget it; what
/// is printed after it is dropped.
package enum Output {
  private static let failure = Atomic<CInt>(0)

  /// The errno of the first write that failed; nil if all went well.
  package static var error: CInt? {
    let error = failure.load(ordering: .relaxed)
    return error == 0 ? nil : error
  }

  /// Whether what is printed is lost, so that work for it is in vain.
  package static var hasFailed: Bool { error != nil }

  /// Writes `text` at once, as it is.
  package static func write(_ text: String) { write(Array(text.utf8)) }

  /// Writes `bytes` at once, as they are.
  package static func write(_ bytes: [UInt8]) {
    guard !hasFailed, !bytes.isEmpty else { return }
    let error = StandardStream.output.write(bytes)
    if error != 0 { failure.store(error, ordering: .relaxed) }
  }

  /// Writes `text` and the end of a line.
  package static func print(_ text: String) { write(text + "\n") }

  /// Writes a line for people, which a terminal breaks between words.
  ///
  /// - Parameter indent: As `breakingBetweenWords(columns:indent:)` has it.
  package static func print(line: String, indent: Int = 2) {
    print(StandardStream.output.columns.map { line.breakingBetweenWords(columns: $0, indent: indent) } ?? line)
  }

  /// Writes lines for people, which a terminal breaks between words.
  package static func print(lines: [String]) { for line in lines { print(line: line) } }

  /// Writes one document of JSON, indented, its keys sorted; `schemaVersion` 1 is added.
  package static func print(document: JSONObject) { print(document.versioned.text(indented: true)) }

  /// Writes one line of JSON, its keys sorted.
  package static func print(event: JSONObject) { print(JSONValue.object(event).text(indented: false)) }
}
