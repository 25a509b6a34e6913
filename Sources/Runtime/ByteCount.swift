// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A count of bytes as people read it: in binary units with two decimals.
public struct ByteCount: CustomStringConvertible, Sendable {
  private let bytes: Int

  /// Bytes.
  public init(_ bytes: Int) { self.bytes = bytes }

  /// For example `1.25 GiB`.
  public var description: String {
    for (shift, unit) in [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")] where bytes >= 1 << shift {
      let hundredths = Int((Double(bytes) * 100 / Double(1 << shift)).rounded())
      let rest = hundredths % 100
      return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest) \(unit)"
    }
    return "\(bytes) B"
  }
}
