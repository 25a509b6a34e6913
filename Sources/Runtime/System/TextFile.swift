// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import SystemPackage

/// Reads small text files under /sys and /proc, in which the kernel describes itself and the machine.
package enum TextFile {
  /// Returns the text of the file without trailing newlines and spaces; nil if it cannot be read.
  package static func read(_ path: String) -> String? {
    guard var bytes = bytes(path) else { return nil }
    while let last = bytes.last, last == 0x0a || last == 0x20 { bytes.removeLast() }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Returns the bytes of the file up to its end, or up to the read that exceeds `limit` bytes; nil if it cannot be read.
  package static func bytes(_ path: String, limit: Int = .max) -> [UInt8]? {
    guard let descriptor = try? FileDescriptor.open(FilePath(path), .readOnly, options: [.closeOnExec]) else { return nil }
    defer { try? descriptor.close() }
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 1 << 16)
    while bytes.count < limit {
      guard let count = try? unsafe piece.withUnsafeMutableBytes({ try unsafe descriptor.read(into: $0) }) else { return nil }
      if count == 0 { break }
      bytes.append(contentsOf: piece[..<count])
    }
    return bytes
  }

  /// Returns the number that is the file's whole content; nil if it is not a number.
  package static func integer(_ path: String) -> Int? { read(path).flatMap { Int($0) } }

  /// Returns the fields of lines such as `MemFree:  123 kB` by name, converted to bytes if they end in kB. Lines may begin with `Node 0`.
  package static func fields(_ text: String) -> [String: Int] {
    var fields: [String: Int] = [:]
    for line in text.split(separator: "\n") {
      guard let colon = line.firstIndex(of: ":"), let name = line[..<colon].split(separator: " ").last else { continue }
      let words = line[line.index(after: colon)...].split(whereSeparator: { $0 == " " || $0 == "\t" })
      guard let first = words.first, let number = Int(first) else { continue }
      fields[String(name)] = words.dropFirst().first == "kB" ? number << 10 : number
    }
    return fields
  }
}
