// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A reader that walks a JSON document front to back, one value at a time, and keeps nothing: the caller takes the members it knows and
/// skips the rest.
///
/// It is for documents that may be large or hostile; `JSONValue` holds a whole document in memory. Strict by RFC 8259, in linear time.
package struct JSONReader: ~Copyable {
  private var parser: JSONParser
  /// The fields that lead to the current value.
  private var place: [String] = []

  /// Reads the document `bytes`, which is one object; see `object`.
  package static func document(
    _ bytes: [UInt8], requiring fields: [String],
    _ member: (_ json: inout JSONReader, _ name: String) throws(JSONError) -> Void
  ) throws(JSONError) {
    var json = JSONReader(parser: JSONParser(bytes: bytes))
    try json.object(requiring: fields, member)
    json.parser.skipSpace()
    guard json.parser.position == bytes.count else { throw json.parser.error("text after the end of the document") }
  }

  private init(parser: consuming JSONParser) { self.parser = parser }

  // MARK: Values

  /// Reads an object.
  ///
  /// - Parameters:
  ///   - fields: Members that must occur exactly once.
  ///   - member: Called for each member; it must read or skip the value.
  package mutating func object(
    requiring fields: [String], _ member: (_ json: inout JSONReader, _ name: String) throws(JSONError) -> Void
  ) throws(JSONError) {
    var missing = fields
    try list("an object", from: "{", to: "}") { (json) throws(JSONError) in
      json.parser.skipSpace()
      guard json.parser.peek == UInt8(ascii: "\"") else { throw json.parser.error("a name in double quotes is expected") }
      let name = try json.parser.string()
      json.parser.skipSpace()
      guard json.parser.take(":") else { throw json.parser.error("a colon is expected after the name") }
      json.place.append(name)
      if let index = missing.firstIndex(of: name) {
        missing.remove(at: index)
      } else if fields.contains(name) {
        throw json.defect("occurs twice")
      }
      try member(&json, name)
      json.place.removeLast()
    }
    guard let first = missing.first else { return }
    place.append(first)
    throw defect("is missing")
  }

  /// Reads an array of values that `element` reads.
  package mutating func array<Element>(
    of element: (_ json: inout JSONReader) throws(JSONError) -> Element
  ) throws(JSONError) -> [Element] {
    var values: [Element] = []
    try list("an array", from: "[", to: "]") { (json) throws(JSONError) in
      json.place.append("[\(values.count)]")
      values.append(try element(&json))
      json.place.removeLast()
    }
    return values
  }

  /// Reads an integer.
  package mutating func integer() throws(JSONError) -> Int {
    parser.skipSpace()
    guard let byte = parser.peek, byte == UInt8(ascii: "-") || parser.isDigit(byte), case .integer(let value) = try parser.number(),
      let value = Int(exactly: value)
    else { throw defect("is not an integer of 64 bits") }
    return value
  }

  /// Reads `true` or `false`.
  package mutating func bool() throws(JSONError) -> Bool {
    parser.skipSpace()
    switch parser.peek {
    case UInt8(ascii: "t"), UInt8(ascii: "f"): return try parser.value(depth: 0) == true
    default: throw defect("is neither true nor false")
    }
  }

  /// Reads a string.
  package mutating func string() throws(JSONError) -> String {
    parser.skipSpace()
    guard parser.peek == UInt8(ascii: "\"") else { throw defect("is not a string") }
    return try parser.string()
  }

  /// Reads a string and converts it with `make`; `what` names the expected kind in the error message.
  package mutating func value<Value>(_ what: String, _ make: (String) -> Value?) throws(JSONError) -> Value {
    let text = try string()
    guard let value = make(text) else { throw defect("is \"\(text.prefix(100))\", which is not \(what)") }
    return value
  }

  /// Steps over a value of any kind.
  package mutating func skip() throws(JSONError) {
    parser.skipSpace()
    switch parser.peek {
    case UInt8(ascii: "{"): try object(requiring: []) { (json, _) throws(JSONError) in try json.skip() }
    case UInt8(ascii: "["):
      try list("an array", from: "[", to: "]") { (json) throws(JSONError) in
        json.place.append("")
        try json.skip()
        json.place.removeLast()
      }
    default: _ = try parser.value(depth: 0)
    }
  }

  private mutating func list(
    _ kind: String, from open: Unicode.Scalar, to close: Unicode.Scalar, _ element: (inout JSONReader) throws(JSONError) -> Void
  ) throws(JSONError) {
    parser.skipSpace()
    guard parser.take(open) else { throw defect("is not \(kind)") }
    guard place.count < JSONValue.maximumDepth else {
      throw parser.error("nested more than \(JSONValue.maximumDepth) levels deep")
    }
    parser.skipSpace()
    if parser.take(close) { return }
    repeat {
      try element(&self)
      parser.skipSpace()
    } while parser.take(",")
    guard parser.take(close) else { throw parser.error("a comma or the end of \(kind) is expected") }
  }

  /// Returns the error for a problem with the current value.
  private func defect(_ problem: String) -> JSONError {
    parser.error(place.isEmpty ? "the document \(problem)" : "the field \(place.joined(separator: ".")) \(problem)")
  }
}
