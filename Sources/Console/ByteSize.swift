// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Files

/// A number of bytes as a user writes it: `512M`, `8G`, or plain bytes.
package struct ByteSize: ExpressibleByArgument, CustomStringConvertible {
  /// The number of bytes, at least 0.
  package let byteCount: Int

  /// A size of `byteCount` bytes.
  package init(_ byteCount: Int) { self.byteCount = byteCount }

  /// Parses what a user writes; nil if it is not a size, or too large.
  package init?(argument: String) {
    let units: [Character: Int] = ["K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40]
    let unit = argument.last.flatMap { units[Character($0.uppercased())] }
    guard let number = Int(unit == nil ? argument : String(argument.dropLast())), number >= 0,
      let bytes = number.multiplied(by: unit ?? 1)
    else { return nil }
    byteCount = bytes
  }

  package var description: String {
    for (unit, size) in [("T", 1 << 40), ("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10)]
    where byteCount > 0 && byteCount % size == 0 { return "\(byteCount / size)\(unit)" }
    return "\(byteCount)"
  }

  package var defaultValueDescription: String { description }
}
