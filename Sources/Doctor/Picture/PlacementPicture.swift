// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import PackRuntime

/// A picture of a pack's pages: a strip for each blob, the bandwidth between nodes, and the machine's distances.
public struct PlacementPicture {
  private let report: PlacementReport
  private let name: String
  private let distances: [Int: [Int: Int]]
  private let nodes: [Int]

  private static let width = 860
  private static let margin = 20.0
  private static let strip = Double(width) - 2 * margin

  /// Draws `report` of the pack called `name` on `topology`.
  public init(_ report: PlacementReport, of name: String, on topology: Topology) {
    self.report = report
    self.name = name
    distances = Dictionary(topology.nodes.map { ($0.id, $0.distances) }, uniquingKeysWith: { first, _ in first })
    nodes = Set(topology.nodes.map(\.id) + report.blobs.flatMap { [$0.node] + $0.remotePages.keys }).sorted()
  }

  // MARK: Colours

  /// Colours that people with any kind of colour vision can distinguish (Okabe and Ito, 2008).
  private static let palette = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#000000"]
  private static let absent = "#d9d9d9"
  /// The colours of page sizes, in the report's order.
  private static let sizeColors = ["#2b2b2b", "#7a7a7a", "#d9d9d9"]

  private func color(_ node: Int) -> String { Self.palette[(nodes.firstIndex(of: node) ?? 0) % Self.palette.count] }

  // MARK: Drawing

  /// The picture as an SVG file.
  public var svg: String {
    var svg = SVG(width: Self.width)
    svg.text(
      Self.margin, 30, "\(name): \(report.memory), \(Decimal(report.localPercent, 2)) % of the pages on their nodes", size: 17)
    var y = legend(&svg, 54)
    for blob in report.blobs { y = draw(blob, &svg, y) }
    let top = y + 10
    bandwidth(&svg, top)
    distance(&svg, top)
    return svg.description
  }

  /// Draws the legend, and returns the y coordinate of the next part.
  private func legend(_ svg: inout SVG, _ y: Double) -> Double {
    var x = Self.margin
    for (label, color) in nodes.map({ ("node \($0)", color($0)) }) + [("not in memory", Self.absent)] {
      svg.rectangle(x, y - 11, 12, 12, color)
      svg.text(x + 17, y, label)
      x += 30 + 8 * Double(label.count)
    }
    return y + 14
  }

  private func draw(_ blob: PlacementReport.Blob, _ svg: inout SVG, _ y: Double) -> Double {
    let sizes = blob.percentByPageSize.filter { $0.percent >= 0.5 }.map { "\($0.name) \(Decimal($0.percent, 0)) %" }.joined(
      separator: ", ")
    svg.text(
      Self.margin, y + 16,
      "\(blob.file), for node \(blob.node): \(ByteCount(blob.byteCount)), \(Decimal(blob.localPercent, 2)) % there; pages \(sizes)")
    let all = PageMapPart(
      pages: blob.remotePages.merging([blob.node: blob.localPages], uniquingKeysWith: +), absentPages: blob.absentPages)
    let parts = blob.parts.isEmpty ? [all] : blob.parts
    let width = Self.strip / Double(parts.count)
    var start = 0
    // Adjacent equal parts are drawn as one.
    while start < parts.count {
      var end = start + 1
      while end < parts.count, parts[end].shares == parts[start].shares { end += 1 }
      column(parts[start], &svg, x: Self.margin + Double(start) * width, y: y + 22, width: Double(end - start) * width)
      start = end
    }
    var x = Self.margin
    for (index, size) in blob.percentByPageSize.enumerated() where size.percent > 0 {
      let width = Self.strip * size.percent / 100
      svg.rectangle(x, y + 47, width, 6, Self.sizeColors[index], title: "pages of \(size.name): \(Decimal(size.percent, 1)) %")
      x += width
    }
    return y + 62
  }

  /// Draws one part of a blob: a bar of full height, divided in proportion to the nodes of its pages.
  private func column(_ part: PageMapPart, _ svg: inout SVG, x: Double, y: Double, width: Double) {
    let height = 24.0
    var top = y
    for share in part.shares {
      let title = (share.node.map { "node \($0)" } ?? "not in memory") + ": \(Decimal(100 * share.part, 1)) %"
      svg.rectangle(x, top, width, height * share.part, share.node.map(color) ?? Self.absent, title: title)
      top += height * share.part
    }
  }

  // MARK: Tables of numbers

  private func bandwidth(_ svg: inout SVG, _ y: Double) {
    let rates = report.bandwidth
    guard let most = rates.map(\.gigabytesPerSecond).max(), most > 0 else { return }
    let rows = Set(rates.map(\.teamNode)).sorted()
    let columns = Set(rates.map(\.memoryNode)).sorted()
    grid(&svg, Self.margin, y, "GB/s: threads (rows) read memory (columns)", rows, columns) { row, column in
      let rate = rates.first { $0.teamNode == row && $0.memoryNode == column }?.gigabytesPerSecond
      return rate.map { (Decimal($0, 1).description, $0 / most) }
    }
  }

  private func distance(_ svg: inout SVG, _ y: Double) {
    let known = nodes.filter { distances[$0]?.isEmpty == false }
    guard known.count > 1 else { return }
    let most = Double(known.flatMap { distances[$0]?.values.map { $0 } ?? [] }.max() ?? 10)
    grid(&svg, Double(Self.width) / 2 + Self.margin, y, "NUMA distances", known, known) { row, column in
      (distances[row]?[column]).map { ("\($0)", 10 / max(10, Double($0)) * (most > 10 ? 1 : 0.5)) }
    }
  }

  /// Draws a heat map. `cell` returns the text of each cell, and how close to the best it is, 0 to 1.
  private func grid(
    _ svg: inout SVG, _ x: Double, _ y: Double, _ title: String, _ rows: [Int], _ columns: [Int],
    _ cell: (_ row: Int, _ column: Int) -> (text: String, heat: Double)?
  ) {
    let (width, height) = (min(70, 330 / Double(max(columns.count, 1))), 26.0)
    svg.text(x, y + 14, title)
    for (index, column) in columns.enumerated() {
      svg.text(x + 60 + (Double(index) + 0.5) * width, y + 34, "node \(column)", size: 12, anchor: .middle)
    }
    for (index, row) in rows.enumerated() {
      let top = y + 40 + Double(index) * height
      svg.text(x + 54, top + 18, "node \(row)", size: 12, anchor: .end)
      for (place, column) in columns.enumerated() {
        guard let (text, heat) = cell(row, column) else { continue }
        svg.rectangle(x + 60 + Double(place) * width, top, width - 2, height - 2, Self.heat(heat))
        svg.text(
          x + 59 + (Double(place) + 0.5) * width, top + 17, text, size: 12, color: heat > 0.55 ? "#ffffff" : "#222222",
          anchor: .middle)
      }
    }
  }

  /// Returns a colour from nearly white to dark blue.
  private static func heat(_ value: Double) -> String {
    let part = min(max(value, 0), 1)
    let channels = zip([247.0, 251, 255], [8.0, 69, 148]).map { Int(($0 + ($1 - $0) * part).rounded()) }
    return "#" + channels.map { String($0 / 16, radix: 16) + String($0 % 16, radix: 16) }.joined()
  }

  // MARK: A page

  /// Returns a self-contained HTML page with the picture and the numbers that it shows.
  ///
  /// - Parameter text: The report as the program prints it.
  public func html(_ text: String) -> String {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { String($0).escapedForXML }
    return
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>\(name.escapedForXML)</title></head>\n<body>\n\(svg)"
      + "<pre>\(lines.joined(separator: "\n"))</pre>\n</body>\n</html>\n"
  }
}

extension PageMapPart {
  fileprivate struct Share: Equatable {
    var node: Int?
    var part: Double
  }

  /// The share of the pages on each node, lowest node first; a nil node stands for pages that are not in memory.
  fileprivate var shares: [Share] {
    let all = Double(max(1, pages.values.reduce(absentPages, +)))
    let present = pages.sorted { $0.key < $1.key }.map { Share(node: $0.key, part: Double($0.value) / all) }
    return absentPages > 0 ? present + [Share(node: nil, part: Double(absentPages) / all)] : present
  }
}
