// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

extension JSONValue: CustomStringConvertible {
  /// The document on one line, with a space after each comma and colon. Characters outside ASCII are not escaped.
  ///
  /// A number that JSON cannot express (infinite or not a number) is written as null.
  public var description: String {
    var text = ""
    write(to: &text, blank: " ")
    return text
  }

  /// The document on one line, without spaces.
  package var compact: String {
    var text = ""
    write(to: &text, blank: "")
    return text
  }

  private func write(to text: inout String, blank: String) {
    switch self {
    case .null: text += "null"
    case .bool(let bool): text += bool ? "true" : "false"
    case .integer(let integer): text += integer.description
    case .number(let number): text += number.isFinite ? number.description : "null"
    case .string(let string): Self.write(string, to: &text)
    case .array(let elements):
      text += "["
      for (index, element) in elements.enumerated() {
        if index > 0 { text += "," + blank }
        element.write(to: &text, blank: blank)
      }
      text += "]"
    case .object(let object):
      text += "{"
      for (index, member) in object.members.enumerated() {
        if index > 0 { text += "," + blank }
        Self.write(member.name, to: &text)
        text += ":" + blank
        member.value.write(to: &text, blank: blank)
      }
      text += "}"
    }
  }

  private static func write(_ string: String, to text: inout String) {
    text += "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case "\u{8}": text += "\\b"
      case "\u{C}": text += "\\f"
      case "\u{0}"..<" ":
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }
}
