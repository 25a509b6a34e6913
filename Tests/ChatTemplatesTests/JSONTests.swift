// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import JSON
import Testing

struct JSONTests {
  @Test func `members keep their order, and integers stay integers`() throws {
    let value = try JSONValue(parsing: #"{"z": 1, "a": [1.0, -2e3, true, null], "é": "\ud83d\ude42\n"}"#)
    #expect(value.description == #"{"z": 1, "a": [1.0, -2000.0, true, null], "é": "🙂\n"}"#)
    #expect(value["z"] == .integer(1))
    #expect(value["a"]?.array?.first == .number(1))
  }

  @Test func `of members with one name the last value counts, at the first one's place`() throws {
    #expect(try JSONValue(parsing: #"{"z": 1, "a": 2, "z": 3}"#).description == #"{"z": 3, "a": 2}"#)
  }

  @Test func `names are told apart by their scalars`() throws {
    let value = try JSONValue(parsing: "{\"\u{E9}\": 1, \"e\u{301}\": 2}")
    #expect(value.object?.count == 2)
  }

  @Test(arguments: [
    ("", 1, 1), ("[1,]", 1, 4), ("{\"a\": 1,}", 1, 9), ("[1] 2", 1, 5), ("[\n  01]", 2, 4), ("\"a\tb\"", 1, 3), ("'a'", 1, 1),
    ("\"\\ud83d\"", 1, 2), ("\"\\x41\"", 1, 2), ("\"abc", 1, 1), ("[1", 1, 3), ("nul", 1, 4), ("1.", 1, 3), ("-", 1, 2),
    ("{\"a\" 1}", 1, 6), ("{a: 1}", 1, 2), ("\"\\u+123\"", 1, 2), (String(repeating: "9", count: 60), 1, 1),
  ])
  func `a text that is not JSON is refused with line and column`(text: String, line: Int, column: Int) {
    let error = #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
    #expect(error?.line == line)
    #expect(error?.column == column)
  }

  @Test func `nesting is bounded`() {
    let error = #expect(throws: JSONError.self) { try JSONValue(parsing: String(repeating: "[", count: 1_000_000)) }
    #expect(error?.problem == "nested more than 128 levels deep")
  }

  @Test func `text that is not UTF-8 is refused`() {
    #expect(throws: JSONError.self) { try JSONValue(parsing: [0x22, 0xFF, 0x22]) }
  }

  @Test func `a document can be read from the middle of a text`() throws {
    let (value, end) = try JSONValue.parsePrefix(of: Array("x {\"a\": [1]} y".utf8), from: 1)
    #expect(value == ["a": [1]])
    #expect(end == 12)
  }
}
