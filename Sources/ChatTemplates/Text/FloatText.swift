// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Writes floats as Python does.
enum FloatText {
  /// Returns `repr(number)`: the shortest digits that read back as the same number, with an exponent below 1e-4 and from 1e16 on.
  static func shortest(_ number: Double) -> String {
    guard number.isFinite else { return notFinite(number) }
    if number == 0 { return number.sign == .minus ? "-0.0" : "0.0" }
    let (digits, exponent) = shortestDigits(number.magnitude)
    let sign = number < 0 ? "-" : ""
    if exponent < -4 || exponent >= 16 { return sign + scientific(digits, exponent) }
    if exponent < 0 { return sign + "0." + zeros(-exponent - 1) + digits }
    if digits.count <= exponent + 1 { return sign + digits + zeros(exponent + 1 - digits.count) + ".0" }
    return sign + digits.prefix(exponent + 1) + "." + digits.dropFirst(exponent + 1)
  }

  static func notFinite(_ number: Double) -> String { number.isNaN ? "nan" : number < 0 ? "-inf" : "inf" }

  /// Returns `d.ddde±xx`, with the point after the first digit.
  static func scientific(_ digits: String, _ exponent: Int, letter: String = "e") -> String {
    let fraction = digits.dropFirst()
    let magnitude = String(exponent.magnitude)
    let point = fraction.isEmpty ? "" : "." + fraction
    return digits.prefix(1) + point + letter + (exponent < 0 ? "-" : "+") + (magnitude.count < 2 ? "0" : "") + magnitude
  }

  static func zeros(_ count: Int) -> String { String(repeating: "0", count: max(0, count)) }

  /// Returns the shortest digits of a positive number, and the power of ten of the first digit. Swift finds the digits; only their
  /// form differs.
  private static func shortestDigits(_ number: Double) -> (digits: String, exponent: Int) {
    var exponent = 0
    var mantissa = Substring(number.description)
    if let e = mantissa.firstIndex(of: "e") {
      exponent = Int(mantissa[mantissa.index(after: e)...].drop { $0 == "+" }) ?? 0
      mantissa = mantissa[..<e]
    }
    let parts = mantissa.split(separator: ".", omittingEmptySubsequences: false)
    let whole = String(parts[0])
    let all = whole + (parts.count > 1 ? parts[1] : "")
    let leading = all.prefix { $0 == "0" }.count
    var digits = String(all.dropFirst(leading))
    while digits.count > 1 && digits.hasSuffix("0") { digits.removeLast() }
    return (digits, exponent + whole.count - 1 - leading)
  }
}

/// The exact decimal digits of a finite, positive float, for formats with a fixed number of digits.
struct ExactDecimal {
  /// Digits 0 to 9, most significant first, without leading zeros; empty for zero.
  private(set) var digits: [UInt8]
  /// The number of digits before the point; may be negative, or larger than the number of digits.
  private(set) var point: Int

  /// - Complexity: quadratic in the number of digits, of which a `Double` has at most 767.
  init(_ number: Double) {
    guard number != 0 else {
      digits = []
      point = 0
      return
    }
    // number = significand · 2^exponent, both integers.
    var significand = number.significandBitPattern
    var exponent = Int(number.exponentBitPattern) - 1075
    if number.exponentBitPattern == 0 { exponent += 1 } else { significand |= 1 << 52 }
    // Limbs of nine decimal digits, least significant first.
    var limbs = [UInt64(significand % 1_000_000_000), UInt64(significand / 1_000_000_000 % 1_000_000_000)]
    var fractionDigits = 0
    if exponent >= 0 {
      for _ in 0..<exponent { Self.multiply(&limbs, by: 2) }
    } else {
      // significand / 2^n = significand · 5^n / 10^n.
      fractionDigits = -exponent
      for _ in 0..<fractionDigits { Self.multiply(&limbs, by: 5) }
    }
    digits = []
    for limb in limbs.reversed() {
      let text = String(limb)
      digits += [UInt8](repeating: 0, count: 9 - text.utf8.count) + text.utf8.map { $0 - UInt8(ascii: "0") }
    }
    digits.removeFirst(digits.prefix { $0 == 0 }.count)
    point = digits.count - fractionDigits
  }

  private static func multiply(_ limbs: inout [UInt64], by factor: UInt64) {
    var carry: UInt64 = 0
    for index in limbs.indices {
      let product = limbs[index] * factor + carry
      limbs[index] = product % 1_000_000_000
      carry = product / 1_000_000_000
    }
    if carry > 0 { limbs.append(carry) }
  }

  /// Keeps `count` digits, rounding half to even. If `count` is negative, the result is zero.
  mutating func round(toDigits count: Int) {
    guard count < digits.count else { return }
    guard count >= 0 else {
      digits = []
      return
    }
    let next = digits[count]
    let isHalf = next == 5 && digits[(count + 1)...].allSatisfy { $0 == 0 }
    let isUp = isHalf ? count > 0 && digits[count - 1] % 2 == 1 : next >= 5
    digits.removeLast(digits.count - count)
    guard isUp else { return }
    var index = count - 1
    while index >= 0 && digits[index] == 9 {
      digits[index] = 0
      index -= 1
    }
    if index >= 0 {
      digits[index] += 1
    } else {
      digits.insert(1, at: 0)
      point += 1
    }
  }

  /// Formats like `f`, with `places` digits after the point.
  static func fixed(_ magnitude: Double, places: Int) -> String {
    var decimal = ExactDecimal(magnitude)
    decimal.round(toDigits: decimal.point + places)
    let whole = decimal.text(from: decimal.point > 0 ? 0 : decimal.point, to: decimal.point)
    let fraction = decimal.text(from: decimal.point, to: decimal.point + places)
    return (whole.isEmpty ? "0" : whole) + (places > 0 ? "." + fraction : "")
  }

  /// Formats like `e`: returns `significant` digits and the power of ten of the first digit.
  static func scientific(_ magnitude: Double, significant: Int) -> (digits: String, exponent: Int) {
    var decimal = ExactDecimal(magnitude)
    if decimal.digits.isEmpty { return (FloatText.zeros(significant), 0) }
    decimal.round(toDigits: significant)
    return (decimal.text(from: 0, to: significant), decimal.point - 1)
  }

  /// Returns the digits in a range of places, counted from the first digit; beyond both ends there are zeros.
  private func text(from start: Int, to end: Int) -> String {
    guard start < end else { return "" }
    var text = ""
    for index in start..<end {
      text.append(Character(Unicode.Scalar(UInt8(ascii: "0") + (digits.indices.contains(index) ? digits[index] : 0))))
    }
    return text
  }
}
