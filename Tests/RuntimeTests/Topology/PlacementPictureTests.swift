// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import TestSupport
import Testing

@testable import Doctor
@testable import PackRuntime

#if canImport(FoundationXML)
  import FoundationXML
#endif

@Suite("The picture of a placement")
struct PlacementPictureTests {
  /// Returns a report on two blobs of 1 GiB on four nodes: the first is in place; half of the second is on node 1, and a part of it is not
  /// in memory.
  private func report() -> PlacementReport {
    let pages = 1 << 18
    func blob(_ number: Int, _ parts: [PageMapPart], huge: Int) -> PlacementReport.Blob {
      let counts = parts.reduce(into: [:]) { $0.merge($1.pages, uniquingKeysWith: +) }
      let absent = parts.reduce(0) { $0 + $1.absentPages }
      return PlacementReport.Blob(
        file: "node\(number).blob", node: number, byteCount: 1 << 30, localPages: counts[number] ?? 0,
        remotePages: counts.filter { $0.key != number }, absentPages: absent, parts: parts,
        localPercent: 100 * Double(counts[number] ?? 0) / Double(pages), mappedBy2M: huge, mappedBy1G: 0, faults: 1, seconds: 1,
        gigabytesPerSecond: 1)
    }
    let good = [PageMapPart](repeating: PageMapPart(pages: [0: pages / 4]), count: 4)
    let bad = [
      PageMapPart(pages: [2: pages / 4]), PageMapPart(pages: [2: pages / 8, 1: pages / 8]), PageMapPart(pages: [1: pages / 4]),
      PageMapPart(pages: [1: pages / 8], absentPages: pages / 8),
    ]
    return PlacementReport(
      memory: "anon", reason: nil, blobs: [blob(0, good, huge: 1 << 30), blob(2, bad, huge: 1 << 29)],
      bandwidth: [(0, 0, 90.0), (0, 2, 30), (2, 0, 31), (2, 2, 88)].map {
        .init(teamNode: $0.0, memoryNode: $0.1, threads: 8, gigabytesPerSecond: $0.2)
      }, notes: [], isFromNumaMaps: false)
  }

  /// Collects the rectangles and texts of a picture, each with its title.
  private final class Reader: NSObject, XMLParserDelegate {
    var rectangles: [(attributes: [String: String], title: String)] = []
    var texts: [String] = []
    private var text = ""

    func parser(
      _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
      attributes: [String: String] = [:]
    ) {
      text = ""
      if name == "rect" { rectangles.append((attributes, "")) }
    }

    func parser(_ parser: XMLParser, foundCharacters string: String) { text += string }

    func parser(_ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?) {
      if name == "title" { rectangles[rectangles.count - 1].title = text }
      if name == "text" { texts.append(text) }
    }
  }

  private func read(_ svg: String) throws -> Reader {
    let reader = Reader()
    let parser = XMLParser(data: Data(svg.utf8))
    parser.delegate = reader
    try #require(parser.parse(), "\(svg)")
    return reader
  }

  @Test("Every page has its part of a strip, in the colour of its node")
  func map() throws {
    let machine = try FakeMachine.fourNodes()
    let picture = PlacementPicture(report(), of: "big.pack", on: Topology.read(root: machine.root, affinity: [0]))
    let found = try read(picture.svg)
    func area(_ title: String) -> Double {
      found.rectangles.filter { $0.title.hasPrefix(title) }.reduce(0) {
        $0 + (Double($1.attributes["width"] ?? "") ?? 0) * (Double($1.attributes["height"] ?? "") ?? 0)
      }
    }
    let strip = 820.0 * 24
    for (title, parts) in [("node 0", 1), ("node 2", 0.375), ("node 1", 0.5), ("not in memory", 0.125)] as [(String, Double)] {
      #expect(abs(area(title) - strip * parts) < strip * 0.001, "\(title): \(area(title) / strip)")
    }
    // Equal parts are one rectangle.
    #expect(found.rectangles.count { $0.title.hasPrefix("node 0") } == 1)
    let colors = Set(found.rectangles.filter { $0.title.hasPrefix("node ") }.compactMap { $0.attributes["fill"] })
    #expect(colors.count == 3)
    #expect(found.texts.first == "big.pack: anon, 68.75 % of the pages on their nodes", "\(found.texts)")
    #expect(found.texts.contains("node2.blob, for node 2: 1.0 GiB, 37.50 % there; pages 2M 50 %, 4K 50 %"))
    // The rates, and the machine's distances.
    for number in ["90.0", "30.0", "31.0", "88.0", "10", "16", "32"] { #expect(found.texts.contains(number), "\(number)") }
  }

  @Test("A name is only text, whatever its characters; if the order of the pages is unknown, their sums are drawn")
  func hostile() throws {
    var report = report()
    report.blobs[1].parts = []
    report.bandwidth = []
    let picture = PlacementPicture(report, of: "<script>&\"\u{1b}.pack", on: Topology.read(root: "/nowhere", affinity: [0]))
    let found = try read(picture.svg)
    #expect(found.texts.first?.hasPrefix(#"<script>&"\u{1b}.pack: anon"#) == true, "\(found.texts)")
    #expect(!picture.svg.contains("<script>") && !picture.html("a < b").contains("<script>"))
    #expect(picture.html("a < b").contains("<pre>a &lt; b</pre>"))
    #expect(found.rectangles.count { $0.title == "node 1: 50.0 %" } == 1)
  }
}
