// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Parsing of numbers and strings.
extension JSONParser {
  mutating func number() throws(JSONError) -> JSONValue {
    let start = position
    _ = take("-")
    guard let first = peek, isDigit(first) else { throw error("a digit is expected") }
    position += 1
    if first != UInt8(ascii: "0") {
      skipDigits()
    } else if let next = peek, isDigit(next) {
      throw error("a number may not begin with 0")
    }
    var isInteger = true
    if take(".") {
      isInteger = false
      try digits()
    }
    if let byte = peek, byte == UInt8(ascii: "e") || byte == UInt8(ascii: "E") {
      isInteger = false
      position += 1
      if !take("+") { _ = take("-") }
      try digits()
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if isInteger {
      guard let integer = Int128(text) else { throw error("an integer of more than 128 bits", at: start) }
      return .integer(integer)
    }
    // The grammar was checked above, so `Double` accepts it; a number that is too large becomes infinite.
    guard let number = Double(text) else { throw error("a number is expected", at: start) }
    return .number(number)
  }

  private mutating func digits() throws(JSONError) {
    guard let byte = peek, isDigit(byte) else { throw error("a digit is expected") }
    skipDigits()
  }

  private mutating func skipDigits() {
    while let byte = peek, isDigit(byte) { position += 1 }
  }

  func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }

  mutating func string() throws(JSONError) -> String {
    let start = position
    position += 1
    var text: [UInt8] = []
    while true {
      guard let byte = peek else { throw error("the text ends in a string", at: start) }
      switch byte {
      case UInt8(ascii: "\""):
        position += 1
        guard let string = String(validating: text, as: UTF8.self) else { throw error("a string that is not UTF-8", at: start) }
        return string
      case UInt8(ascii: "\\"):
        position += 1
        text.append(contentsOf: try escape().utf8)
      case 0..<0x20: throw error("a control character in a string; write it as an escape")
      default:
        text.append(byte)
        position += 1
      }
    }
  }

  private mutating func escape() throws(JSONError) -> String {
    let start = position - 1
    guard let byte = peek else { throw error("the text ends in a string", at: start) }
    position += 1
    switch byte {
    case UInt8(ascii: "\""): return "\""
    case UInt8(ascii: "\\"): return "\\"
    case UInt8(ascii: "/"): return "/"
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{C}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"):
      var code = UInt32(try hexadecimal(at: start))
      if code >= 0xD800 && code < 0xDC00 && take("\\") {
        guard take("u") else { throw error("half of a surrogate pair", at: start) }
        let low = UInt32(try hexadecimal(at: start))
        guard low >= 0xDC00 && low < 0xE000 else { throw error("half of a surrogate pair", at: start) }
        code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(code) else { throw error("half of a surrogate pair", at: start) }
      return String(scalar)
    default: throw error("an escape that JSON does not have", at: start)
    }
  }

  private mutating func hexadecimal(at start: Int) throws(JSONError) -> UInt16 {
    if position + 4 > bytes.count, bytes[position...].allSatisfy({ Unicode.Scalar($0).properties.isASCIIHexDigit }) {
      position = bytes.count
      throw error("the text ends in a string", at: start)
    }
    guard position + 4 <= bytes.count, !bytes[position..<position + 4].contains(where: { $0 == 0x2B || $0 == 0x2D }),
      let code = UInt16(String(decoding: bytes[position..<position + 4], as: UTF8.self), radix: 16)
    else { throw error("four hexadecimal digits are expected after \\u", at: start) }
    position += 4
    return code
  }
}
