// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The filters of Jinja2, with the filter `tojson` of transformers.
enum Filters {
  static let names: Set<String> = [
    "abs", "attr", "batch", "capitalize", "center", "count", "d", "default", "dictsort", "e", "escape", "filesizeformat", "first",
    "float", "forceescape", "format", "groupby", "indent", "int", "items", "join", "last", "length", "list", "lower", "map", "max",
    "min", "pprint", "random", "reject", "rejectattr", "replace", "reverse", "round", "safe", "select", "selectattr", "slice",
    "sort",
    "string", "striptags", "sum", "title", "tojson", "trim", "truncate", "unique", "upper", "urlencode", "urlize", "wordcount",
    "wordwrap", "xmlattr",
  ]

  static func apply(
    _ name: String, to value: Value, _ arguments: Arguments, _ interpreter: Interpreter
  ) throws(Fault) -> Value {
    let call = FilterCall(name: name, value: value, arguments: arguments, interpreter: interpreter)
    switch name {
    case "default", "d":
      let values = try call.bound(["default_value", "boolean"])
      let isMissing = value.isUndefined || (values[1].isTrue(or: false) && !value.isTrue)
      return isMissing ? values[0] ?? .string("") : value
    case "length", "count":
      try call.takesNothing()
      return .integer(Int128(try value.length()))
    case "attr": return try call.attribute()
    case "tojson": return try call.json()
    case "abs", "int", "float", "round", "sum", "filesizeformat": return try call.number()
    case "items", "list", "first", "last", "reverse", "batch", "slice", "unique", "min", "max", "sort", "dictsort", "groupby",
      "map",
      "select", "reject", "selectattr", "rejectattr":
      return try call.sequence()
    case "pprint", "random", "urlize": throw Fault(.unsupported, "the filter '\(name)' is not supported")
    default: return try call.text()
    }
  }
}

/// One use of a filter.
struct FilterCall {
  let name: String
  let value: Value
  let arguments: Arguments
  let interpreter: Interpreter

  /// Returns the arguments in the order of the parameters; nil for those that are not given.
  func bound(_ names: [String], required: Int = 0) throws(Fault) -> [Value?] {
    try arguments.bound(to: names, required: required, in: name)
  }

  func takesNothing() throws(Fault) { _ = try bound([]) }

  fileprivate func attribute() throws(Fault) -> Value {
    guard case .string(let name) = try bound(["name"], required: 1)[0] ?? .none else {
      throw Fault(.type, "attribute name must be string")
    }
    if case .undefined(let undefined) = value { throw undefined.fault }
    return try Attributes.find(name.string, of: value) ?? Undefined.attribute(name, of: value)
  }
}
