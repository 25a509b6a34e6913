// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// One line of JSON with sorted keys.
struct JSONLine {
  private var fields: [(key: String, value: String)] = []

  mutating func set(_ key: String, _ value: String) { fields.append((key, Self.quote(value))) }
  mutating func set(_ key: String, _ value: Int) { fields.append((key, "\(value)")) }
  mutating func set(_ key: String, _ value: Double) { fields.append((key, value.isFinite ? "\(value)" : "null")) }
  mutating func set(_ key: String, _ values: [JSONLine]) {
    fields.append((key, "[" + values.map(\.text).joined(separator: ",") + "]"))
  }
  mutating func set(_ key: String, _ values: [Double]) {
    fields.append((key, "[" + values.map { "\($0)" }.joined(separator: ",") + "]"))
  }

  var text: String {
    "{" + fields.sorted { $0.key < $1.key }.map { "\(Self.quote($0.key)):\($0.value)" }.joined(separator: ",") + "}"
  }

  private static func quote(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
