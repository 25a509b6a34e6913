// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Filters that return numbers.
extension FilterCall {
  func number() throws(Fault) -> Value {
    switch name {
    case "abs":
      try takesNothing()
      switch value {
      case .float(let float): return .float(float.magnitude)
      case .integer, .bool:
        let isNegative = (value.asInteger ?? 0) < 0
        return isNegative ? try value.negated() : try value.posited()
      default: throw Fault(.type, "bad operand type for abs(): '\(value.typeName)'")
      }
    case "int": return try integer()
    case "float": return try float()
    case "round": return try round()
    case "sum": return try sum()
    default: return try fileSize()
    }
  }

  private func integer() throws(Fault) -> Value {
    let values = try bound(["default", "base"])
    let standard = values[0] ?? .integer(0)
    let base = try values[1].integer(or: 10, "base")
    switch value {
    case .undefined(let undefined): throw undefined.fault
    case .integer, .bool: return .integer(value.asInteger ?? 0)
    case .float(let float): return try Self.truncated(float) ?? standard
    case .string(let text):
      if let integer = try NumberText.integer(text, base: base) { return .integer(integer) }
      guard let float = NumberText.float(text) else { return standard }
      return try Self.truncated(float) ?? standard
    default: return standard
    }
  }

  /// Returns the whole part of a number; nil if the number is not finite.
  private static func truncated(_ float: Double) throws(Fault) -> Value? {
    guard float.isFinite else { return nil }
    guard let integer = Int128(exactly: float.rounded(.towardZero)) else {
      throw Fault(.unsupported, "an integer of more than 128 bits is not supported")
    }
    return .integer(integer)
  }

  private func float() throws(Fault) -> Value {
    let standard = try bound(["default"])[0] ?? .float(0)
    switch value {
    case .undefined(let undefined): throw undefined.fault
    case .integer, .bool, .float: return .float(value.toFloat)
    case .string(let text): return NumberText.float(text).map(Value.float) ?? standard
    default: return standard
    }
  }

  private func round() throws(Fault) -> Value {
    let values = try bound(["precision", "method"])
    let precision = try values[0].integer(or: 0, "precision")
    let method = try values[1].map { (value) throws(Fault) in try string(value) } ?? "common"
    guard method == "common" || method == "ceil" || method == "floor" else {
      throw Fault(.runtime, "method must be common, ceil or floor")
    }
    if case .undefined(let undefined) = value { throw undefined.fault }
    guard value.isNumber else { throw Fault(.type, "type \(value.typeName) doesn't define __round__ method") }
    if method == "common" {
      if case .float(let float) = value { return .float(Self.rounded(float, places: precision)) }
      guard precision < 0 else { return try value.posited() }
      return .integer(Int128(Self.rounded(value.toFloat, places: precision)))
    }
    guard (-300...300).contains(precision) else { throw Fault(.arithmetic, "(34, 'Numerical result out of range')") }
    var scale = 1.0
    for _ in 0..<precision.magnitude { scale *= 10 }
    let scaled = precision < 0 ? value.toFloat / scale : value.toFloat * scale
    let whole = scaled.rounded(method == "ceil" ? .up : .down)
    return .float(precision < 0 ? whole * scale : whole / scale)
  }

  /// Rounds to a number of decimal places, correctly for the exact value of the float.
  private static func rounded(_ float: Double, places: Int) -> Double {
    guard float.isFinite, places < 330 else { return float }
    guard places > -330 else { return float.sign == .minus ? -0.0 : 0 }
    var decimal = ExactDecimal(float.magnitude)
    decimal.round(toDigits: decimal.point + places)
    let digits = String(decimal.digits.map { Character(Unicode.Scalar($0 + UInt8(ascii: "0"))) })
    let magnitude = digits.isEmpty ? 0 : Double("0.\(digits)e\(decimal.point)") ?? float.magnitude
    return float.sign == .minus ? -magnitude : magnitude
  }

  private func sum() throws(Fault) -> Value {
    let values = try bound(["attribute", "start"])
    let path = try AttributePath(values[0])
    var sum = values[1] ?? .integer(0)
    if case .string = sum { throw Fault(.type, "sum() can't sum strings [use ''.join(seq) instead]") }
    for element in try interpreter.elements(of: value) {
      sum = try interpreter.add(sum, path.value(of: element, interpreter))
    }
    return sum
  }

  private func fileSize() throws(Fault) -> Value {
    let isBinary = try bound(["binary"])[0].isTrue(or: false)
    let size: Double
    switch value {
    case .integer, .bool, .float: size = value.toFloat
    case .string(let text):
      guard let float = NumberText.float(text) else {
        throw Fault(.value, "could not convert string to float: \(text.representation.string)")
      }
      size = float
    case .undefined(let undefined): throw undefined.fault
    default: throw Fault(.type, "float() argument must be a string or a real number, not '\(value.typeName)'")
    }
    let base = isBinary ? 1024.0 : 1000
    if size == 1 { return .string("1 Byte") }
    if size < base { return .string(Text("\(Int(size)) Bytes")) }
    var unit = base
    for (index, prefix) in "kMGTPEZY".enumerated() {
      unit *= base
      if size < unit || index == 7 {
        let number = ExactDecimal.fixed(base * size / unit, places: 1)
        return .string(Text("\(number) \(isBinary ? prefix.uppercased() + "iB" : "\(prefix)B")"))
      }
    }
    return .none
  }
}

/// Reads numbers in strings, as Python's `int` and `float` do.
enum NumberText {
  /// Returns the integer in a text, or nil. With base 0, the prefix of the text determines the base.
  static func integer(_ text: Text, base: Int) throws(Fault) -> Int128? {
    guard base == 0 || (2...36).contains(base) else { throw Fault(.value, "int() base must be >= 2 and <= 36, or 0") }
    var digits = Substring(text.stripped(nil, .both).string.lowercased())
    let sign = digits.first
    if sign == "-" || sign == "+" { digits.removeFirst() }
    var base = base
    let prefixes = ["0b": 2, "0o": 8, "0x": 16]
    if let prefix = prefixes[String(digits.prefix(2))], base == 0 || base == prefix {
      base = prefix
      digits = digits.dropFirst(2)
      if digits.first == "_" { digits.removeFirst() }
    } else if base == 0 {
      base = 10
      if digits.hasPrefix("0"), digits.contains(where: { $0 != "0" && $0 != "_" }) { return nil }
    }
    guard let plain = withoutUnderscores(digits), let first = plain.first, first != "-", first != "+" else { return nil }
    guard plain.utf8.allSatisfy({ isDigit($0, base: base) }) else { return nil }
    guard let integer = Int128(String(sign == "-" ? "-" : "") + plain, radix: base) else {
      throw Fault(.unsupported, "an integer of more than 128 bits is not supported")
    }
    return integer
  }

  private static func isDigit(_ byte: UInt8, base: Int) -> Bool {
    Letter(Unicode.Scalar(byte)).isDecimal ? Int(byte) - 0x30 < base : byte >= 0x61 && byte <= 0x7A && Int(byte) - 0x61 + 10 < base
  }

  /// Returns the text without underscores; nil if one of them is not between two characters, or next to another.
  private static func withoutUnderscores(_ text: Substring) -> String? {
    if text.hasPrefix("_") || text.hasSuffix("_") || text.contains("__") { return nil }
    return text.filter { $0 != "_" }
  }

  static func float(_ text: Text) -> Double? {
    let text = text.stripped(nil, .both).string.lowercased()
    let unsigned = text.hasPrefix("-") || text.hasPrefix("+") ? text.dropFirst() : text[...]
    switch unsigned {
    case "inf", "infinity": return text.hasPrefix("-") ? -.infinity : .infinity
    case "nan": return .nan
    default: break
    }
    // Swift also reads hexadecimal numbers; Python does not.
    guard unsigned.utf8.allSatisfy({ (0x30...0x39).contains($0) || "._e+-".utf8.contains($0) }),
      let first = unsigned.utf8.first, (0x30...0x39).contains(first) || first == UInt8(ascii: "."),
      let plain = underscoresBetweenDigitsRemoved(text)
    else { return nil }
    return Double(plain)
  }

  private static func underscoresBetweenDigitsRemoved(_ text: String) -> String? {
    let bytes = Array(text.utf8)
    for (index, byte) in bytes.enumerated() where byte == UInt8(ascii: "_") {
      guard index > 0, index + 1 < bytes.count, (0x30...0x39).contains(bytes[index - 1]), (0x30...0x39).contains(bytes[index + 1])
      else { return nil }
    }
    return text.filter { $0 != "_" }
  }
}
