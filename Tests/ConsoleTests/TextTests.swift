// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import JSON
import Testing

@testable import Console

@Suite("Numbers and tables as text")
struct TextTests {
  @Test(
    "Bytes are written in the largest binary unit that they fill, with one decimal",
    arguments: [
      (0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"), ((1 << 20) - 1, "1.0 MiB"), (1_048_524, "1023.9 KiB"),
      (235 << 20 | 1 << 17, "235.1 MiB"), (5 << 40, "5.0 TiB"), (3000 << 40, "3000.0 TiB"),
    ])
  func bytes(count: Int, text: String) {
    #expect(ByteCount(count).description == text)
  }

  @Test("A count of one is singular, and all others are plural", arguments: [(0, "0 blobs"), (1, "1 blob"), (2, "2 blobs")])
  func counts(count: Int, text: String) {
    #expect(Count(count, "blob").description == text)
  }

  @Test(
    "A number is rounded to its decimals and always shows them",
    arguments: [
      (0.0, 2, "0.00"), (1.005, 1, "1.0"), (0.05, 1, "0.1"), (-0.04, 1, "0.0"), (-1.5, 1, "-1.5"), (99.996, 2, "100.00"),
      (7.5, 0, "8"),
      (.infinity, 2, "inf"), (1e12, 3, "1000000000000.000"),
    ])
  func decimals(value: Double, decimals: Int, text: String) {
    #expect(Decimal(value, decimals).description == text)
  }

  @Test("A row that does not fit the terminal becomes a paragraph, a line for each cell")
  func narrowTable() {
    var table = Table([("name", .left), ("count", .right)])
    table.append(["a", "1"])
    table.append(["b", "1000000"])
    #expect(table.lines(columns: nil) == table.lines && table.lines(columns: 13) == table.lines)
    #expect(table.lines(columns: 12) == ["name   a", "count  1", "", "name   b", "count  1000000"])
  }

  @Test(
    "A long line breaks between words: blanks fill the row, and the next row is indented",
    arguments: [
      ("short", "short"), ("aaaaaaaaa bbbbbbbbbb", "aaaaaaaaa bbbbbbbbbb"),
      ("aaaaaaaaa bbbbbbbbbbb c", "aaaaaaaaa             bbbbbbbbbbb c"),
      ("     # changes: nothing at all", "     # changes:            nothing at   " + "       all"),
      // Quoted text stays one word; an apostrophe does not quote.
      ("it's there: rm 'a b c d'", "it's there: rm        'a b c d'"),
      ("x /a/path/that/is/longer/than/a/row y", "x /a/path/that/is/longer/than/a/row y"),
      // Characters that take two columns.
      ("日本日本日本日本 ab cd", "日本日本日本日本 ab   cd"),
      ("a bbbbbbbbbbbbbbbbbb ccc", "a bbbbbbbbbbbbbbbbbb  ccc"),
    ])
  func wordBreaks(line: String, expected: String) {
    #expect(line.breakingBetweenWords(columns: 20) == expected)
    #expect(line.breakingBetweenWords(columns: 200) == line && line.breakingBetweenWords(columns: 1) == line)
  }

  @Test(
    "A bar stays within its width",
    arguments: [(-1.0, "    "), (0, "    "), (0.5, "##  "), (1, "####"), (7, "####"), (.nan, "    ")])
  func bar(part: Double, text: String) {
    #expect(Bar(part: part).text(4, isUTF8: false) == text)
  }

  @Test("A column is as wide as its widest cell, and numbers are aligned right")
  func table() {
    var table = Table([("name", .left), ("count", .right)])
    table.append(["a", "1"])
    table.append(["longer", "123456"])
    #expect(table.lines == ["name     count", "a            1", "longer  123456"])
    #expect(
      table.markdown == [
        "| name   |  count |", "| ------ | -----: |", "| a      |      1 |", "| longer | 123456 |",
      ])
  }

  @Test("JSON is written with its keys sorted at every depth, indented or on one line")
  func json() {
    var inner = JSONObject()
    inner.set("b", 1)
    inner.set("a", Double.nan)
    var object = JSONObject()
    object.set("z", "a \"b\"\n\u{1B}")
    object.set("none", nil as Int?)
    object.set("list", [inner])
    object.set("empty", [] as [String])
    let value = JSONValue.object(object)
    #expect(value.text(indented: false) == #"{"empty":[],"list":[{"a":null,"b":1}],"z":"a \"b\"\n\u001b"}"#)
    #expect(
      object.versioned.text(indented: true) == """
        {
          "empty": [],
          "list": [
            {
              "a": null,
              "b": 1
            }
          ],
          "schemaVersion": 1,
          "z": "a \\"b\\"\\n\\u001b"
        }
        """)
  }
}
