// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import JSON

/// The keywords `allOf` and `oneOf`.
extension SchemaCompiler {
  /// Returns a schema with the schemas in its `allOf` merged into it.
  mutating func merged(_ schema: JSONObject, _ path: String, depth: Int = 0) throws(GrammarError) -> JSONObject {
    guard depth < 32 else { throw .unsupported(keyword: "allOf", path: path, reason: "nested too deeply") }
    guard let all = schema["allOf"] else { return schema }
    guard let parts = all.array else { throw .invalidSchema(path: path, problem: "'allOf' is a list") }
    // This keyword refers only to the properties next to it. After merging it would also refer to those of the parts.
    if let additional = schema["additionalProperties"], additional != true {
      throw .unsupported(keyword: "additionalProperties", path: path, reason: "beside 'allOf'; write 'unevaluatedProperties'")
    }
    var result = schema
    result["allOf"] = nil
    for part in parts {
      try work.spend(100 * (1 + result.count))
      guard case .object(let object) = try resolve(part, path).schema else {
        if part == .bool(true) { continue }
        throw .unsupported(keyword: "allOf", path: path, reason: "with what is not an object")
      }
      for (name, value) in try merged(object, path, depth: depth + 1).members {
        result[name] = try merged(name, result[name], value, path)
      }
    }
    return result
  }

  private mutating func merged(_ name: String, _ old: JSONValue?, _ new: JSONValue, _ path: String) throws(GrammarError)
    -> JSONValue
  {
    if Self.annotations.contains(name), name != "format" { return old ?? new }
    // In a part, these keywords refer only to the part's own properties. After merging they would also refer to the others.
    if name == "additionalProperties" || name == "unevaluatedProperties" {
      throw .unsupported(keyword: name, path: path, reason: "within 'allOf'")
    }
    guard let old else { return new }
    if old == new { return old }
    switch (name, old, new) {
    case ("required", .array(let left), .array(let right)):
      try work.spend(10 * (left.count + right.count))
      return .array(left + right)
    case ("properties", .object(let left), .object(let right)):
      try work.spend(100 * (left.count + right.count))
      var result = left
      for (property, value) in right.members {
        if let other = result[property], other != value {
          result[property] = .object(["allOf": .array([other, value])])
        } else {
          result[property] = value
        }
      }
      return .object(result)
    case ("minimum", .integer(let left), .integer(let right)), ("minLength", .integer(let left), .integer(let right)),
      ("minItems", .integer(let left), .integer(let right)):
      return .integer(max(left, right))
    case ("maximum", .integer(let left), .integer(let right)), ("maxLength", .integer(let left), .integer(let right)),
      ("maxItems", .integer(let left), .integer(let right)):
      return .integer(min(left, right))
    default: throw .unsupported(keyword: "allOf", path: path, reason: "with '\(name)' twice")
    }
  }

  /// Throws if one value might satisfy two alternatives of a `oneOf`.
  mutating func checkDisjoint(_ choices: [JSONValue], _ path: String) throws(GrammarError) {
    for (index, left) in choices.enumerated() {
      for right in choices[(index + 1)...] where try !isDisjoint(left, right, path) {
        throw .unsupported(
          keyword: "oneOf", path: path,
          reason: "its alternatives may hold together; tell them apart by type or by a required 'const'")
      }
    }
  }

  private mutating func isDisjoint(_ left: JSONValue, _ right: JSONValue, _ path: String) throws(GrammarError) -> Bool {
    guard case .object(let left) = try resolve(left, path).schema, case .object(let right) = try resolve(right, path).schema else {
      return left == .bool(false) || right == .bool(false)
    }
    try work.spend(500)
    if let leftValues = Self.values(left), let rightValues = Self.values(right) { return try !haveCommon(leftValues, rightValues) }
    let (leftTypes, rightTypes) = (try kinds(left, path), try kinds(right, path))
    let common = leftTypes.intersection(rightTypes)
    if common.isEmpty { return true }
    guard common == ["object"] else { return false }
    // A property that both require, but with no value in common, makes them disjoint.
    let required = Set((left["required"]?.array ?? []).compactMap(\.string)).intersection(
      (right["required"]?.array ?? []).compactMap(\.string))
    for name in required {
      guard let one = left["properties"]?[name]?.object, let other = right["properties"]?[name]?.object,
        let oneValues = Self.values(one), let otherValues = Self.values(other)
      else { continue }
      if try !haveCommon(oneValues, otherValues) { return true }
    }
    return false
  }

  /// Returns whether two lists have a value in common.
  private mutating func haveCommon(_ left: [JSONValue], _ right: [JSONValue]) throws(GrammarError) -> Bool {
    // The length of a schema is limited, so the product cannot overflow.
    try work.spend(20 * left.count * right.count)
    return left.contains(where: right.contains)
  }

  /// Returns the values that a schema lists; nil if it lists none.
  private static func values(_ schema: JSONObject) -> [JSONValue]? {
    schema["const"].map { [$0] } ?? schema["enum"]?.array
  }

  /// Returns the types that values of a schema may have; an integer counts as a number.
  private mutating func kinds(_ schema: JSONObject, _ path: String) throws(GrammarError) -> Set<String> {
    if let values = Self.values(schema) {
      try work.spend(100 * values.count)
      return Set(values.flatMap { value in Self.allTypes.filter { Self.isOf($0, value) } })
    }
    guard schema["type"] != nil else { return Set(Self.allTypes) }
    return Set(try types(of: schema, path).map { $0 == "integer" ? "number" : $0 })
  }
}
