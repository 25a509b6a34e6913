// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// What is wrong with a text that should be JSON, and where.
public struct JSONError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What is wrong.
  public let problem: String
  /// The line, from 1.
  public let line: Int
  /// The column in that line in bytes, from 1.
  public let column: Int
  /// The offset in the text in bytes, from 0.
  public let offset: Int
  /// Whether the text is valid as far as it goes, and only ends too early.
  public let isTruncated: Bool

  /// Line, column, and what is wrong.
  public var description: String { "line \(line), column \(column): \(problem)" }
}

extension JSONValue {
  /// The deepest nesting that a document may have.
  public static let maximumDepth = 128

  /// Parses a document, strictly by RFC 8259: no comments, no trailing commas, no text after it, no unpaired surrogates.
  ///
  /// Takes time and memory linear in the text. An integer must fit 128 bits. If a name occurs twice in an object, the last value counts.
  ///
  /// - Throws: `JSONError` with line and column.
  public init(parsing text: String) throws(JSONError) {
    try self.init(parsing: Array(text.utf8))
  }

  /// Parses a document from UTF-8.
  public init(parsing bytes: [UInt8]) throws(JSONError) {
    var parser = JSONParser(bytes: bytes)
    self = try parser.document()
  }

  /// Parses the document that begins at `start`, and returns the offset of its end. What follows is not examined.
  ///
  /// White space before the document is skipped.
  public static func parsePrefix(of bytes: [UInt8], from start: Int) throws(JSONError) -> (value: JSONValue, end: Int) {
    var parser = JSONParser(bytes: bytes)
    parser.position = start
    parser.skipSpace()
    let value = try parser.value(depth: 0)
    return (value, parser.position)
  }
}

/// Reads JSON by recursive descent; `JSONValue.maximumDepth` bounds the recursion.
struct JSONParser {
  let bytes: [UInt8]
  var position = 0

  init(bytes: [UInt8]) { self.bytes = bytes }

  mutating func document() throws(JSONError) -> JSONValue {
    skipSpace()
    let value = try value(depth: 0)
    skipSpace()
    guard position == bytes.count else { throw error("text after the end of the document") }
    return value
  }

  mutating func value(depth: Int) throws(JSONError) -> JSONValue {
    guard depth <= JSONValue.maximumDepth else { throw error("nested more than \(JSONValue.maximumDepth) levels deep") }
    switch peek {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try array(depth: depth)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    case let byte? where byte == UInt8(ascii: "-") || isDigit(byte): return try number()
    case nil: throw error("the text ends where a value is expected")
    default: throw error("a value is expected")
    }
  }

  private mutating func object(depth: Int) throws(JSONError) -> JSONValue {
    position += 1
    var object = JSONObject()
    skipSpace()
    if take("}") { return .object(object) }
    while true {
      skipSpace()
      guard peek == UInt8(ascii: "\"") else { throw error("a name in double quotes is expected") }
      let name = try string()
      skipSpace()
      guard take(":") else { throw error("a colon is expected after the name") }
      skipSpace()
      object[name] = try value(depth: depth + 1)
      skipSpace()
      if take("}") { return .object(object) }
      guard take(",") else { throw error("a comma or a closing brace is expected") }
    }
  }

  private mutating func array(depth: Int) throws(JSONError) -> JSONValue {
    position += 1
    var elements: [JSONValue] = []
    skipSpace()
    if take("]") { return .array(elements) }
    while true {
      skipSpace()
      elements.append(try value(depth: depth + 1))
      skipSpace()
      if take("]") { return .array(elements) }
      guard take(",") else { throw error("a comma or a closing bracket is expected") }
    }
  }

  private mutating func word(_ word: StaticString, _ value: JSONValue) throws(JSONError) -> JSONValue {
    for byte in word.description.utf8 {
      guard peek == byte else { throw error("a value is expected: true, false or null") }
      position += 1
    }
    return value
  }

  // MARK: Characters

  var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

  mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard peek == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  mutating func skipSpace() {
    while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
  }

  func error(_ problem: String) -> JSONError { error(problem, at: position) }

  func error(_ problem: String, at offset: Int) -> JSONError {
    let before = bytes[..<min(offset, bytes.count)]
    let lineStart = before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
    let line = before.count { $0 == 0x0A } + 1
    return JSONError(
      problem: problem, line: line, column: offset - lineStart + 1, offset: offset, isTruncated: position >= bytes.count)
  }
}
