// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Testing

@testable import Files

@Suite("Paths as text")
struct PathTextTests {
  private static let paths: [[UInt8]] = [
    Array("/a/model.gguf".utf8), [], Array("café 模型".utf8), Array("caf".utf8) + [0xe9], [0xff], [0xc3], [0xed, 0xa0, 0x80],
    [0x66, 0xf0, 0x9f, 0x66], Array("\u{10ff80}\u{10ffff}".utf8), Array("\u{10ff7f}".utf8), Array(0x01...0xff),
  ]

  @Test("Every path has a text that gives back its bytes", arguments: paths)
  func roundTrip(bytes: [UInt8]) {
    let text = String(pathBytes: bytes)
    #expect(text.pathBytes == bytes)
    #expect(text.withPath { path in strlenEqual(path, bytes) })
  }

  private func strlenEqual(_ path: UnsafePointer<CChar>, _ bytes: [UInt8]) -> Bool {
    bytes.indices.allSatisfy { UInt8(bitPattern: path[$0]) == bytes[$0] } && path[bytes.count] == 0
  }

  @Test("No two paths have the same text")
  func distinct() {
    #expect(Set(Self.paths.map { String(pathBytes: $0) }).count == Self.paths.count)
  }

  @Test(
    "A text in a message stays on its line and does not control the terminal",
    arguments: [
      ("plain", "plain"), ("a\nb", "a\\u{a}b"), ("\u{1b}[31mred\u{7}", "\\u{1b}[31mred\\u{7}"), ("\u{9b}1m", "\\u{9b}1m"),
      ("a\u{202e}b", "a\\u{202e}b"), ("a\u{2028}b", "a\\u{2028}b"), ("naïve 模型 🙂", "naïve 模型 🙂"),
      (String(pathBytes: [0x61, 0xe9]), "a\\xe9"), ("\r\n", "\\u{d}\\u{a}"),
    ])
  func oneLine(text: String, escaped: String) {
    #expect(text.oneLine == escaped)
  }
}
