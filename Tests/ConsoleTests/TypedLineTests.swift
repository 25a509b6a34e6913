// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Testing

@testable import Console

@Suite("Lines typed at a terminal")
struct TypedLineTests {
  /// Returns the line that these keys make, what ended it, and the keys that are left.
  private func type(_ keys: [UInt8]) -> (text: String, end: TypedLine.End?, rest: [UInt8]) {
    var (line, rest) = (TypedLine(), keys[...])
    let end = line.take(&rest)
    return (String(decoding: line.bytes, as: UTF8.self), end, Array(rest))
  }

  @Test(
    "Editing keys remove what they name, and other control keys do nothing",
    arguments: [
      ("abc\u{7F}\n", "ab"), ("ab\u{8}\u{8}\u{8}c\n", "c"), ("größe\u{7F}\u{7F}\u{7F}\r", "gr"), ("日本\u{7F}\n", "日"),
      ("e\u{301}x\u{7F}\u{7F}\n", ""),
      ("one two  \u{17}three\n", "one three"), ("everything\u{15}but\n", "but"), ("a\u{1B}[1;5Cb\u{1B}OPc\u{1B}xd\n", "abcd"),
      ("a\u{1B}\n", "a"), ("a\tb\u{1}\u{C}\n", "a\tb"), ("a\u{4}b\n", "ab"),
    ])
  func editing(keys: String, text: String) {
    let typed = type(Array(keys.utf8))
    #expect(typed.text == text && typed.end == .line && typed.rest.isEmpty)
  }

  @Test("Keys after the end of a line are left for the next one, and Ctrl-D ends the input only at the beginning of a line")
  func ends() {
    let typed = type(Array("first\nsecond".utf8))
    #expect(typed.text == "first" && typed.end == .line && typed.rest == Array("second".utf8))
    #expect(type([4]).end == .input)
    #expect(type(Array("open".utf8)).end == nil)
  }

  @Test("A line may have any length and arrive in pieces of any size", arguments: [1, 3, 7, 100_000])
  func pieces(size: Int) {
    let text = String(repeating: "wörter und 日本 ", count: 5000)
    var (line, keys, echo) = (TypedLine(), Array((text + "\n").utf8)[...], [UInt8]())
    var end: TypedLine.End?
    while !keys.isEmpty {
      var piece = keys.prefix(size)
      keys = keys.dropFirst(size)
      end = line.take(&piece)
      let shown = line.takeEcho()
      #expect(String(validating: shown, as: UTF8.self) != nil)
      echo += shown
    }
    #expect(end == .line && line.bytes == Array(text.utf8) && echo == Array((text + "\n").utf8))
  }

  @Test("The terminal shows no control characters, and removing text erases as many columns as were written")
  func echo() {
    var line = TypedLine()
    var keys = Array("a\tö日\u{9B}\u{1B}[2J\u{7F}\u{7F}\u{7F}\u{7F}".utf8)[...]
    _ = line.take(&keys)
    let wipe = "\u{8} \u{8}"
    #expect(String(decoding: line.takeEcho(), as: UTF8.self) == "a ö日" + String(repeating: wipe, count: 5))
    #expect(line.bytes.isEmpty)
  }
}
