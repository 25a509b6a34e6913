// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

extension String {
  /// The text as one word of a shell command, on one line, quoted where needed.
  package var shellWord: String {
    let plain = utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
      default: "/._-+,:=@%".utf8.contains(byte)
      }
    }
    if plain, let first, first != "-" { return self }
    if plain, !isEmpty { return "./" + self }
    let safe = hasPrefix("-") ? "./" + self : self
    guard
      safe.unicodeScalars.contains(where: {
        [.control, .format, .lineSeparator, .paragraphSeparator].contains($0.properties.generalCategory)
      })
    else { return "'" + safe.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'" }
    var word = "$'"
    for byte in safe.utf8 {
      switch byte {
      case UInt8(ascii: "'"), UInt8(ascii: "\\"): word += "\\" + String(UnicodeScalar(byte))
      case 0x20..<0x7f: word += String(UnicodeScalar(byte))
      default: word += "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
      }
    }
    return word + "'"
  }
}
