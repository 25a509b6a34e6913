// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The layout of a value: what Python's two formatting languages have in common.
struct NumberFormat {
  /// Where the value is placed within its width.
  enum Alignment: Unicode.Scalar {
    case left = "<"
    case right = ">"
    case center = "^"
    /// Padding goes between the sign and the digits.
    case afterSign = "="
  }

  var fill = Letter(" ")
  var alignment: Alignment?
  /// The text before a number that is not negative: nothing, `+` or a blank.
  var plus = ""
  /// Whether the form with `#` was requested: with the prefix of the base, or with the point and zeros at the end.
  var isAlternate = false
  /// The smallest width, in characters.
  var width = 0
  var grouping: Character?
  var precision: Int?
  var type: Unicode.Scalar?

  /// The largest precision of an integer in `%` formats, and of a float: no number needs more digits.
  static let greatestPrecision = 1000

  // MARK: Numbers

  /// Formats an integer in base 2, 8, 10 or 16.
  func integer(_ value: Int128) -> Text {
    let radix: Int
    var prefix = ""
    switch type {
    case "b": (radix, prefix) = (2, "0b")
    case "o": (radix, prefix) = (8, "0o")
    case "x": (radix, prefix) = (16, "0x")
    case "X": (radix, prefix) = (16, "0X")
    default: radix = 10
    }
    var digits = String(value.magnitude, radix: radix, uppercase: type == "X")
    digits = FloatText.zeros((precision ?? 0) - digits.utf8.count) + digits
    let sign = value < 0 ? "-" : plus
    return number(sign + (isAlternate ? prefix : ""), grouped(digits, every: radix == 10 ? 3 : 4), "")
  }

  func float(_ value: Double) -> Text {
    let isUpper = type == "E" || type == "F" || type == "G"
    var sign = value.sign == .minus && !value.isNaN ? "-" : plus
    guard value.isFinite else {
      if value.isNaN { sign = plus }
      let name = value.isNaN ? "nan" : "inf"
      return number(sign, isUpper ? name.uppercased() : name, type == "%" ? "%" : "")
    }
    var body = Substring(magnitude(value.magnitude))
    if isUpper { body = Substring(body.uppercased()) }
    let whole = body.prefix { ("0"..."9").contains($0) }
    return number(sign, grouped(String(whole), every: 3), String(body.dropFirst(whole.count)) + (type == "%" ? "%" : ""))
  }

  private func magnitude(_ value: Double) -> String {
    let places = min(precision ?? 6, Self.greatestPrecision)
    switch type {
    case "e", "E":
      let (digits, exponent) = ExactDecimal.scientific(value, significant: places + 1)
      return FloatText.scientific(digits, exponent)
    case "f", "F": return ExactDecimal.fixed(value, places: places) + (places == 0 && isAlternate ? "." : "")
    case "%": return ExactDecimal.fixed(value * 100, places: places)
    case "g", "G": return general(value, significant: max(places, 1), hasPoint: false)
    default:
      guard precision != nil else { return FloatText.shortest(value) }
      return general(value, significant: max(places, 1), hasPoint: true)
    }
  }

  /// Formats a number in fixed or scientific notation, depending on the exponent, without zeros at the end.
  private func general(_ value: Double, significant: Int, hasPoint: Bool) -> String {
    let (digits, exponent) = ExactDecimal.scientific(value, significant: significant)
    func trimmed(_ text: String) -> String {
      guard !isAlternate, text.contains(".") else { return text }
      var text = text
      while text.hasSuffix("0") { text.removeLast() }
      if text.hasSuffix(".") { text.removeLast() }
      return text
    }
    if exponent < -4 || exponent >= significant - (hasPoint ? 1 : 0) {
      var kept = digits
      while !isAlternate, kept.utf8.count > 1, kept.hasSuffix("0") { kept.removeLast() }
      return FloatText.scientific(kept, exponent)
    }
    let text = trimmed(ExactDecimal.fixed(value, places: significant - 1 - exponent))
    return hasPoint && !text.contains(".") ? text + ".0" : text
  }

  private func grouped(_ digits: String, every size: Int) -> String {
    guard let grouping else { return digits }
    var result = ""
    for (index, digit) in digits.enumerated() {
      if index > 0 && (digits.utf8.count - index) % size == 0 { result.append(grouping) }
      result.append(digit)
    }
    return result
  }

  private func number(_ sign: String, _ digits: String, _ end: String) -> Text {
    let missing = width - sign.utf8.count - digits.utf8.count - end.utf8.count
    guard missing > 0 else { return Text(sign + digits + end) }
    if alignment == .afterSign {
      return Text(sign) + Text([Letter](repeating: fill, count: missing)) + Text(digits + end)
    }
    return laidOut(Text(sign + digits + end), standard: .right)
  }

  // MARK: Text

  func text(_ text: Text) -> Text {
    let cut = precision.map { Text(text.letters.prefix($0)) } ?? text
    return laidOut(cut, standard: .left)
  }

  private func laidOut(_ text: Text, standard: Alignment) -> Text {
    let missing = max(0, width - text.count)
    switch alignment ?? standard {
    case .left: return text.padded(missing: missing, with: fill, .right)
    case .right, .afterSign: return text.padded(missing: missing, with: fill, .left)
    case .center:
      let left = [Letter](repeating: fill, count: missing / 2)
      return Text(left + text.letters + [Letter](repeating: fill, count: missing - missing / 2))
    }
  }
}
