// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The system's setting for transparent huge pages.
package enum HugePageMode: String, Sendable {
  case always, madvise, never

  /// Reads the bracketed word of /sys/kernel/mm/transparent_hugepage/enabled; `never` if the file does not exist.
  package static func read(root: String = "") -> HugePageMode {
    let text = TextFile.read(root + "/sys/kernel/mm/transparent_hugepage/enabled") ?? ""
    guard let open = text.firstIndex(of: "["), let close = text.firstIndex(of: "]"), open < close else { return .never }
    return HugePageMode(rawValue: String(text[text.index(after: open)..<close])) ?? .never
  }
}
