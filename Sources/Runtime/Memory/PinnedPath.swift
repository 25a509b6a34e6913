// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files

/// The path of a pinned pack, encoded as names of empty files beside its replicas. On a hugetlbfs, links cannot be made and files cannot be
/// written.
///
/// Each name is `path`, two digits that count from 0, a point, and up to 100 bytes of the path in hexadecimal digits.
enum PinnedPath {
  private static let prefix = "path"
  private static let bytesOfName = 100

  /// Returns whether a file with this name is part of a path.
  static func isPart(_ name: String) -> Bool { name.hasPrefix(prefix) }

  /// Returns the names that encode `path`.
  static func names(_ path: String) -> [String] {
    let bytes = path.pathBytes
    return stride(from: 0, to: bytes.count, by: bytesOfName).enumerated().map { number, start in
      let digits = bytes[start..<min(start + bytesOfName, bytes.count)].map { twoDigits(Int($0), radix: 16) }
      return "\(prefix)\(twoDigits(number, radix: 10)).\(digits.joined())"
    }
  }

  /// Returns the path that some of `names` encode; nil if none do or they are inconsistent.
  static func path(_ names: [String]) -> String? {
    let parts = names.filter(isPart).sorted()
    var bytes: [UInt8] = []
    for part in parts {
      var digits = part.utf8.drop { $0 != UInt8(ascii: ".") }.dropFirst()
      while !digits.isEmpty {
        guard let byte = UInt8(String(decoding: digits.prefix(2), as: UTF8.self), radix: 16) else { return nil }
        bytes.append(byte)
        digits = digits.dropFirst(2)
      }
    }
    let path = String(pathBytes: bytes)
    return !parts.isEmpty && Self.names(path) == parts ? path : nil
  }

  private static func twoDigits(_ value: Int, radix: Int) -> String {
    (value < radix ? "0" : "") + String(value, radix: radix)
  }
}
