// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The escapes in string literals of a template, which are Python's.
enum StringLiteral {
  /// Returns what the letters between the quotes stand for.
  static func value(of source: ArraySlice<Letter>) throws(Fault) -> [Letter] {
    var result: [Letter] = []
    result.reserveCapacity(source.count)
    var rest = source
    while let letter = rest.popFirst() {
      guard letter == "\\", let escape = rest.popFirst() else {
        result.append(letter)
        continue
      }
      try append(escape, &rest, to: &result)
    }
    return result
  }

  private static func append(
    _ escape: Letter, _ rest: inout ArraySlice<Letter>, to result: inout [Letter]
  ) throws(Fault) {
    switch escape.scalar {
    case "\n": break
    case "\\", "'", "\"": result.append(escape)
    case "a": result.append(Letter("\u{7}"))
    case "b": result.append(Letter("\u{8}"))
    case "f": result.append(Letter("\u{C}"))
    case "n": result.append(Letter("\n"))
    case "r": result.append(Letter("\r"))
    case "t": result.append(Letter("\t"))
    case "v": result.append(Letter("\u{B}"))
    case "0"..."7":
      var code = escape.code - 0x30
      for _ in 0..<2 {
        guard let digit = rest.first, digit.code >= 0x30, digit.code < 0x38 else { break }
        code = code * 8 + digit.code - 0x30
        rest.removeFirst()
      }
      result.append(try letter(code))
    case "x": result.append(try letter(hexadecimal(2, &rest, "\\xXX")))
    case "u": result.append(try letter(hexadecimal(4, &rest, "\\uXXXX")))
    case "U": result.append(try letter(hexadecimal(8, &rest, "\\UXXXXXXXX")))
    case "N": throw Fault(.unsupported, "the escape \\N{…} in a string is not supported; write the character or \\u")
    default: result += unknown(escape)
    }
  }

  /// Returns an unknown escape unchanged. Outside ASCII the character becomes an escape itself: Jinja2 first encodes such
  /// characters as escapes, and the backslash before then escapes the backslash of that escape.
  private static func unknown(_ escape: Letter) -> [Letter] {
    if escape.code < 0x80 { return [Letter("\\"), escape] }
    let digits = String(escape.code, radix: 16)
    let (mark, width) = escape.code < 0x100 ? ("x", 2) : escape.code < 0x10000 ? ("u", 4) : ("U", 8)
    return Text("\\" + mark + FloatText.zeros(width - digits.utf8.count) + digits).letters
  }

  private static func hexadecimal(_ count: Int, _ rest: inout ArraySlice<Letter>, _ form: String) throws(Fault) -> UInt32 {
    var code: UInt32 = 0
    for _ in 0..<count {
      guard let digit = rest.first?.hexadecimalValue else { throw Fault(.syntax, "truncated \(form) escape") }
      code = code << 4 | digit
      rest.removeFirst()
    }
    return code
  }

  private static func letter(_ code: UInt32) throws(Fault) -> Letter {
    if let scalar = Unicode.Scalar(code) { return Letter(scalar) }
    if code > 0x10FFFF { throw Fault(.syntax, "illegal Unicode character") }
    throw Fault(.unsupported, "half of a surrogate pair in a string is not supported; write the character itself")
  }
}
