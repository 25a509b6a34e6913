// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The tests of Jinja2, which follow `is`.
enum Tests {
  static let names: Set<String> = [
    "odd", "even", "divisibleby", "defined", "undefined", "filter", "test", "none", "boolean", "false", "true", "integer", "float",
    "lower", "upper", "string", "mapping", "number", "sequence", "iterable", "callable", "sameas", "escaped", "in", "==", "eq",
    "equalto", "!=", "ne", ">", "gt", "greaterthan", "ge", ">=", "<", "lt", "lessthan", "<=", "le",
  ]

  static func passes(
    _ name: String, _ value: Value, _ arguments: Arguments, _ interpreter: Interpreter
  ) throws(Fault) -> Bool {
    if let comparison = comparisons[name] {
      let other = try arguments.bound(to: ["b"], required: 1, in: name)[0] ?? .none
      try interpreter.payForComparing(value, other)
      return try value.compare(comparison, other)
    }
    switch name {
    case "divisibleby", "odd", "even": return try isDivisible(name, value, arguments)
    case "sameas": return value.isSame(as: try arguments.bound(to: ["other"], required: 1, in: name)[0] ?? .none)
    default: break
    }
    guard arguments.isEmpty else { throw Fault(.type, "the test '\(name)' takes no arguments") }
    return try isOfSort(name, value, interpreter)
  }

  private static let comparisons: [String: Expression.Comparison] = [
    "==": .equal, "eq": .equal, "equalto": .equal, "!=": .notEqual, "ne": .notEqual, ">": .greater, "gt": .greater,
    "greaterthan": .greater, ">=": .greaterOrEqual, "ge": .greaterOrEqual, "<": .less, "lt": .less, "lessthan": .less,
    "<=": .lessOrEqual, "le": .lessOrEqual, "in": .isIn,
  ]

  private static func isDivisible(_ name: String, _ value: Value, _ arguments: Arguments) throws(Fault) -> Bool {
    let isNamed = name == "divisibleby"
    let values = try arguments.bound(to: isNamed ? ["num"] : [], required: isNamed ? 1 : 0, in: name)
    let divisor = isNamed ? values[0] ?? .none : .integer(2)
    if case .string = value { throw Fault(.type, "not all arguments converted during string formatting") }
    return try value.calculate(.modulo, divisor).equals(.integer(name == "odd" ? 1 : 0))
  }

  private static func isOfSort(_ name: String, _ value: Value, _ interpreter: Interpreter) throws(Fault) -> Bool {
    switch (name, value) {
    case ("defined", _): return !value.isUndefined
    case ("undefined", _): return value.isUndefined
    case ("none", _): return value.isNone
    case ("boolean", .bool), ("integer", .integer), ("float", .float), ("string", .string), ("mapping", .dictionary): return true
    case ("true", .bool(let bool)): return bool
    case ("false", .bool(let bool)): return !bool
    case ("number", _): return value.isNumber
    case ("iterable", _): return value.isIterable
    case ("sequence", .undefined), ("sequence", .string), ("sequence", .list), ("sequence", .tuple), ("sequence", .dictionary),
      ("sequence", .range):
      return true
    case ("callable", .undefined), ("callable", .function), ("callable", .macro), ("callable", .method), ("callable", .loop),
      ("callable", .joiner):
      return true
    case ("escaped", .string(let text)): return text.isMarkup
    case ("lower", _): return StringMethods.test("islower", try interpreter.text(of: value)) ?? false
    case ("upper", _): return StringMethods.test("isupper", try interpreter.text(of: value)) ?? false
    case ("filter", _): return isName(value, in: Filters.names)
    case ("test", _): return isName(value, in: names)
    default: return false
    }
  }

  private static func isName(_ value: Value, in names: Set<String>) -> Bool {
    if case .string(let text) = value { names.contains(text.string) } else { false }
  }
}
