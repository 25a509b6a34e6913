// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A number of bytes as people read it, in binary units with one decimal: `1.5 GiB`.
package struct ByteCount: CustomStringConvertible, Sendable {
  private let bytes: Int

  /// For `bytes` bytes.
  package init(_ bytes: Int) { self.bytes = bytes }

  /// For example `23 B` or `235.2 MiB`.
  package var description: String {
    guard bytes >= 1024 else { return "\(bytes) B" }
    var value = Double(bytes) / 1024
    for unit in ["KiB", "MiB", "GiB"] {
      // What would be rounded to 1024.0 belongs to the next unit.
      if value < 1023.95 { return "\(Decimal(value, 1)) \(unit)" }
      value /= 1024
    }
    return "\(Decimal(value, 1)) TiB"
  }
}
