// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Files
import PackFormat

extension PackManifest.Placement: ExpressibleByArgument {}

/// An alignment as a user writes it: `64K`, `2M`, `1G`, or bytes.
struct Alignment: ExpressibleByArgument {
  /// In bytes; a power of two from 4096 to 2^30.
  let byteCount: Int

  /// Two MiB, the size of a huge page on most machines.
  static let standard = Alignment(byteCount: 2 << 20)

  static let allValueStrings = ["64K", "2M", "1G"]

  private init(byteCount: Int) { self.byteCount = byteCount }

  init?(argument: String) {
    let units: [Character: Int] = ["K": 1 << 10, "M": 1 << 20, "G": 1 << 30]
    let unit = argument.last.flatMap { units[Character($0.uppercased())] }
    guard let number = Int(unit == nil ? argument : String(argument.dropLast())), number > 0, number <= 1 << 30 else { return nil }
    guard let bytes = number.multiplied(by: unit ?? 1), bytes.isPowerOfTwo, (4096...(1 << 30)).contains(bytes) else { return nil }
    byteCount = bytes
  }

  var defaultValueDescription: String { byteCount == 2 << 20 ? "2M" : "\(byteCount)" }
}
