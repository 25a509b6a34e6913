// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files

/// A picture of benchmark results: for each test, a bar beside the maximum that the machine can reach.
public struct BenchPicture {
  /// A test and its limit.
  public struct Test: Sendable {
    /// Its name, such as `tg64`.
    public var name: String
    /// Tokens per second.
    public var rate: Double
    /// The standard deviation of the rate.
    public var deviation: Double
    /// The resource it used per second, such as bytes read; nil if unknown.
    public var used: Double?
    /// The most of that resource that the machine provides; nil if it could not be measured.
    public var limit: Double?
    /// The unit of both, such as `GB/s`.
    public var unit: String
    /// The source of the limit, such as `memory`.
    public var source: String

    /// A test with its rate and what it took.
    public init(
      name: String, rate: Double, deviation: Double, used: Double?, limit: Double?, unit: String, source: String
    ) {
      (self.name, self.rate, self.deviation) = (name, rate, deviation)
      (self.used, self.limit, self.unit, self.source) = (used, limit, unit, source)
    }
  }

  private let title: String
  private let subtitle: String
  private let tests: [Test]

  private static let width = 860
  private static let margin = 20.0
  private static let label = 130.0
  private static let bar = Double(width) - 2 * margin - label
  private static let reached = "#0072b2"
  private static let room = "#e5e5e5"

  /// A picture of `tests`, all of the same model.
  public init(title: String, subtitle: String, tests: [Test]) {
    (self.title, self.subtitle, self.tests) = (title, subtitle, tests)
  }

  /// The picture as an SVG file.
  public var svg: String {
    var svg = SVG(width: Self.width)
    svg.text(Self.margin, 30, title, size: 17)
    svg.text(Self.margin, 50, subtitle)
    var y = 66.0
    for test in tests { y = draw(test, &svg, y) }
    svg.rectangle(Self.margin, y + 2, 12, 12, Self.reached)
    svg.text(Self.margin + 17, y + 13, "reached")
    svg.rectangle(Self.margin + 90, y + 2, 12, 12, Self.room)
    svg.text(Self.margin + 107, y + 13, "the most that the same threads get when they do nothing else")
    return svg.description
  }

  /// Draws a test's bar with its numbers below, and returns the y coordinate of the next one.
  private func draw(_ test: Test, _ svg: inout SVG, _ y: Double) -> Double {
    let left = Self.margin + Self.label
    svg.text(Self.margin, y + 15, test.name)
    svg.text(
      Self.margin, y + 32, "\(Decimal(test.rate, test.rate < 100 ? 2 : 1)) ± \(Decimal(test.deviation, 1)) t/s", size: 12,
      color: "#555555")
    guard let used = test.used else {
      svg.text(left, y + 15, "its share of the machine's limit is unknown", size: 12, color: "#555555")
      return y + 46
    }
    let amount = "\(Decimal(used, 1)) \(test.unit)"
    guard let limit = test.limit, limit > 0 else {
      svg.text(left, y + 15, "\(amount); the limit could not be measured", size: 12, color: "#555555")
      return y + 46
    }
    // The test may have reached more than the measured maximum; then the maximum is the shorter bar.
    let most = max(limit, used)
    svg.rectangle(left, y, Self.bar * limit / most, 22, Self.room, title: "\(Decimal(limit, 1)) \(test.unit)")
    svg.rectangle(left, y + 3, Self.bar * used / most, 16, Self.reached, title: amount)
    svg.text(
      left, y + 36, "\(amount), \(Decimal(100 * used / limit, 0)) % of the \(Decimal(limit, 1)) \(test.unit) of \(test.source)",
      size: 12, color: "#555555")
    return y + 50
  }
}
