// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import JSON

/// Reads the fields of a request. A field that is null counts as absent; errors name the field with an invalid value.
struct Fields {
  let object: JSONObject

  init(_ body: JSONValue) throws(InterfaceError) {
    guard let object = body.object else { throw .badBody("it is not a JSON object") }
    self.object = object
  }

  /// The value of a field; nil if it is absent or null.
  subscript(name: String) -> JSONValue? {
    guard let value = object[name], value != .null else { return nil }
    return value
  }

  /// Returns a truth value; nil if the field is absent.
  func bool(_ name: String) throws(InterfaceError) -> Bool? {
    guard let value = self[name] else { return nil }
    guard let bool = value.bool else { throw .bad(field: name, problem: "must be true or false") }
    return bool
  }

  /// Returns an integer in a range, which may be written like 16.0; nil if the field is absent.
  func integer(_ name: String, in range: ClosedRange<Int>) throws(InterfaceError) -> Int? {
    guard let value = self[name] else { return nil }
    guard let integer = value.integer ?? value.wholeNumber, range.contains(integer) else {
      throw .bad(field: name, problem: "is \(value.shortened); it must be an integer, \(range.lowerBound) to \(range.upperBound)")
    }
    return integer
  }

  /// Returns a number in a range; nil if the field is absent.
  func number(_ name: String, in range: ClosedRange<Double>) throws(InterfaceError) -> Float? {
    guard let value = self[name] else { return nil }
    guard let number = value.double, range.contains(number) else {
      throw .bad(field: name, problem: "is \(value.shortened); it must be a number, \(range.lowerBound) to \(range.upperBound)")
    }
    return Float(number)
  }

  /// Returns a string; nil if the field is absent.
  func string(_ name: String) throws(InterfaceError) -> String? {
    guard let value = self[name] else { return nil }
    guard let string = value.string else { throw .bad(field: name, problem: "must be a string") }
    return string
  }

  /// Returns a string or an array of strings, none of them empty, as an array; empty if the field is absent.
  func strings(_ name: String, atMost limit: Int) throws(InterfaceError) -> [String] {
    guard let value = self[name] else { return [] }
    guard let array = value.array ?? value.string.map({ [.string($0)] }), array.count <= limit else {
      throw .bad(field: name, problem: "must be a string or an array of at most \(limit) strings")
    }
    let strings = array.compactMap(\.string)
    guard strings.count == array.count else { throw .bad(field: name, problem: "must contain only strings") }
    guard !strings.contains("") else { throw .bad(field: name, problem: "must not contain an empty string") }
    return strings
  }

  /// Returns one of some words; nil if the field is absent.
  func word(_ name: String, of words: [String]) throws(InterfaceError) -> String? {
    guard let value = self[name] else { return nil }
    guard let word = value.string, words.contains(word) else {
      throw .bad(field: name, problem: "is \(value.shortened); it must be one of: \(words.joined(separator: ", "))")
    }
    return word
  }

  /// Returns the fields of an object.
  func fields(_ name: String) throws(InterfaceError) -> Fields? {
    guard let value = self[name] else { return nil }
    guard value.object != nil else { throw .bad(field: name, problem: "must be an object") }
    return try Fields(value)
  }

  /// Returns an array of objects; nil if the field is absent.
  func objects(_ name: String, atMost limit: Int = .max) throws(InterfaceError) -> [JSONObject]? {
    guard let value = self[name] else { return nil }
    guard let array = value.array else { throw .bad(field: name, problem: "must be an array of objects") }
    guard array.count <= limit else {
      throw .bad(field: name, problem: "has \(array.count) elements; at most \(limit) are possible")
    }
    let objects = array.compactMap(\.object)
    guard objects.count == array.count else { throw .bad(field: name, problem: "must contain only objects") }
    return objects
  }
}

extension JSONValue {
  /// The number, in whichever form it is written; nil if the value is not a number.
  var double: Double? {
    switch self {
    case .integer(let integer): Double(integer)
    case .number(let number): number
    default: nil
    }
  }

  /// The integer, if it is written with a point, as in 16.0.
  var wholeNumber: Int? {
    if case .number(let number) = self { Int(exactly: number) } else { nil }
  }

  /// The value for a message, shortened to a few words.
  var shortened: String {
    if case .number(let number) = self, number.isInfinite { return "too large a number" }
    let text = compact
    return text.count > 40 ? text.prefix(40) + "…" : text
  }
}
