// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Testing

@testable import Doctor

@Suite("The picture of a benchmark")
struct BenchPictureTests {
  /// Returns the widths of the rectangles with one colour.
  private func widths(_ color: String, _ svg: String) -> [Double] {
    svg.split(separator: "\n").filter { $0.contains("fill=\"\(color)\"") && $0.contains("<title>") }.compactMap { line in
      line.firstMatch(of: #/width="([0-9.]+)"/#).flatMap { Double($0.1) }
    }
  }

  @Test("The length of a bar relative to its limit is the part that was reached")
  func parts() {
    let picture = BenchPicture(
      title: "a < b", subtitle: "two nodes",
      tests: [
        .init(name: "tg64", rate: 25, deviation: 1, used: 15, limit: 20, unit: "GB/s", source: "memory"),
        .init(name: "pp256", rate: 900, deviation: 1, used: 30, limit: 20, unit: "GB/s", source: "memory"),
      ])
    let (reached, limits) = (widths("#0072b2", picture.svg), widths("#e5e5e5", picture.svg))
    #expect(reached.count == 2 && limits.count == 2)
    #expect(abs(reached[0] / limits[0] - 0.75) < 0.001)
    // If a test exceeded the measured maximum, the limit is the shorter bar, and nothing leaves the picture.
    #expect(abs(limits[1] / reached[1] - 2.0 / 3) < 0.001)
    #expect((reached + limits).allSatisfy { $0 <= 820 })
    #expect(picture.svg.contains(">a &lt; b</text>") && picture.svg.contains("75 % of the 20.0 GB/s of memory"))
  }

  @Test("Unknown values are stated as such and have no bar")
  func unknown() {
    let picture = BenchPicture(
      title: "m", subtitle: "",
      tests: [
        .init(name: "tg64 × 4", rate: 25, deviation: 1, used: nil, limit: 20, unit: "GB/s", source: "memory"),
        .init(name: "tg64", rate: 25, deviation: 1, used: 10, limit: nil, unit: "GB/s", source: "memory"),
      ])
    #expect(widths("#0072b2", picture.svg).isEmpty && picture.svg.contains("is unknown"))
    #expect(picture.svg.contains("10.0 GB/s; the limit could not be measured"))
  }
}
