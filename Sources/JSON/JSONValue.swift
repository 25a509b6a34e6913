// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A JSON document (RFC 8259) that keeps two things most parsers lose: the order of an object's members, and whether a number was written
/// as an integer.
public enum JSONValue: Sendable, Equatable {
  case null
  case bool(Bool)
  /// A number written without a point and without an exponent.
  case integer(Int128)
  /// Any other number. One too large for a `Double` is infinite, as Python reads it.
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object(JSONObject)

  /// The string, or nil if the value is not a string.
  public var string: String? {
    if case .string(let text) = self { text } else { nil }
  }

  /// The elements, or nil if the value is not an array.
  public var array: [JSONValue]? {
    if case .array(let elements) = self { elements } else { nil }
  }

  /// The members, or nil if the value is not an object.
  public var object: JSONObject? {
    if case .object(let object) = self { object } else { nil }
  }

  /// The truth value, or nil if the value is neither true nor false.
  public var bool: Bool? {
    if case .bool(let bool) = self { bool } else { nil }
  }

  /// The integer, or nil if the value is not a number written as an integer, or does not fit an `Int`.
  public var integer: Int? {
    if case .integer(let integer) = self { Int(exactly: integer) } else { nil }
  }

  /// The member with this name; nil if the value is not an object or has no such member.
  public subscript(name: String) -> JSONValue? { object?[name] }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
  ExpressibleByFloatLiteral, ExpressibleByNilLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
  /// A string.
  public init(stringLiteral value: String) { self = .string(value) }
  /// An integer.
  public init(integerLiteral value: Int) { self = .integer(Int128(value)) }
  /// True or false.
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  /// A number that is not an integer.
  public init(floatLiteral value: Double) { self = .number(value) }
  /// Null.
  public init(nilLiteral: ()) { self = .null }
  /// An array.
  public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  /// An object.
  public init(dictionaryLiteral members: (String, JSONValue)...) { self = .object(JSONObject(members)) }
}
