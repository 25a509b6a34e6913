// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import Files
import PackFormat

extension PackManifest.Placement: ExpressibleByArgument {}

/// An alignment as a user writes it: `64K`, `2M`, `1G`, or bytes.
struct Alignment: CustomStringConvertible {
  /// In bytes; a power of two from 4096 to 2^30.
  let byteCount: Int

  /// Two MiB, the size of a huge page on most machines.
  static let standard = Alignment(byteCount: 2 << 20)

  private init(byteCount: Int) { self.byteCount = byteCount }

  /// Parses what a user writes.
  init(_ argument: String) throws {
    guard let bytes = ByteSize(argument: argument)?.byteCount, bytes.isPowerOfTwo, (4096...(1 << 30)).contains(bytes) else {
      throw ValidationError("write a power of two from 4096 to 1G, such as 64K, 2M or 1G")
    }
    byteCount = bytes
  }

  var description: String { byteCount == 2 << 20 ? "2M" : "\(byteCount)" }
}
