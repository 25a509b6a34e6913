// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A number with a fixed number of decimals: `0.50`.
package struct Decimal: CustomStringConvertible, Sendable {
  private let value: Double
  private let decimals: Int

  /// `value` rounded to `decimals` decimals, 0 to 9.
  package init(_ value: Double, _ decimals: Int) {
    self.value = value
    self.decimals = decimals
  }

  package var description: String {
    let scale = (0..<decimals).reduce(1.0) { result, _ in result * 10 }
    guard value.isFinite, abs(value) * scale < 1e18 else { return "\(value)" }
    let whole = Int((abs(value) * scale).rounded())
    let digits = String(whole)
    let padded = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
    let sign = value < 0 && whole > 0 ? "-" : ""
    return sign + (decimals == 0 ? padded : padded.dropLast(decimals) + "." + padded.suffix(decimals))
  }
}
