// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The methods and properties of Python's objects, and which of them the sandbox forbids.
enum Attributes {
  /// Returns a method or property of an object: undefined if the sandbox forbids it, nil if there is none.
  static func find(_ name: String, of object: Value) throws(Fault) -> Value? {
    if name.hasPrefix("__") && name.hasSuffix("__") {
      return special.contains(name) ? Undefined.unsafe(name, of: object) : nil
    }
    switch object {
    case .string:
      return StringMethods.names.contains(name) ? .method(Method(object, name)) : nil
    case .dictionary:
      if ["clear", "pop", "popitem", "setdefault", "update"].contains(name) { return Undefined.unsafe(name, of: object) }
      return ["get", "keys", "values", "items", "copy", "fromkeys"].contains(name) ? .method(Method(object, name)) : nil
    case .list:
      if ["append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"].contains(name) {
        return Undefined.unsafe(name, of: object)
      }
      return ["index", "count", "copy"].contains(name) ? .method(Method(object, name)) : nil
    case .tuple(let tuple):
      if let index = tuple.names.firstIndex(of: name) { return tuple.elements[index] }
      return ["index", "count"].contains(name) ? .method(Method(object, name)) : nil
    case .range(let range): return property(name, of: range, object)
    case .integer, .bool, .float: return property(name, ofNumber: object)
    case .namespace(let namespace): return namespace.attributes.value(named: Text(name))
    case .loop(let loop): return loop.attribute(name) ?? (LoopState.methods.contains(name) ? .method(Method(object, name)) : nil)
    case .macro(let macro): return property(name, of: macro.definition)
    case .cycler(let cycler):
      switch name {
      case "current": return cycler.current
      case "next", "reset": return .method(Method(object, name))
      default: return nil
      }
    case .function(.dict): return name == "fromkeys" ? .function(.fromKeys) : nil
    case .undefined, .none, .view, .generator, .function, .method, .joiner: return nil
    }
  }

  /// Names that every Python object has, or that give access to its internals.
  private static let special: Set<String> = [
    "__class__", "__dict__", "__doc__", "__init__", "__new__", "__repr__", "__str__", "__hash__", "__eq__", "__ne__", "__lt__",
    "__le__", "__gt__", "__ge__", "__getattribute__", "__setattr__", "__delattr__", "__dir__", "__format__", "__reduce__",
    "__reduce_ex__", "__sizeof__", "__subclasshook__", "__init_subclass__", "__len__", "__iter__", "__contains__", "__getitem__",
    "__add__", "__mul__", "__call__", "__globals__", "__code__", "__closure__", "__defaults__", "__name__", "__module__",
    "__self__", "__func__", "__builtins__",
  ]

  private static func property(_ name: String, of range: RangeValue, _ object: Value) -> Value? {
    switch name {
    case "start": .integer(Int128(range.start))
    case "stop": .integer(Int128(range.end))
    case "step": .integer(Int128(range.step))
    case "index", "count": .method(Method(object, name))
    default: nil
    }
  }

  private static func property(_ name: String, ofNumber object: Value) -> Value? {
    switch (name, object) {
    case ("real", .float): return object
    case ("real", _), ("numerator", .integer), ("numerator", .bool): return object.asInteger.map(Value.integer)
    case ("imag", .float): return .float(0)
    case ("imag", _): return .integer(0)
    case ("denominator", .integer), ("denominator", .bool): return .integer(1)
    case ("as_integer_ratio", _), ("conjugate", _), ("is_integer", .float), ("hex", .float), ("fromhex", .float),
      ("bit_length", _), ("bit_count", _), ("to_bytes", _), ("from_bytes", _):
      return .method(Method(object, name))
    default: return nil
    }
  }

  private static func property(_ name: String, of macro: MacroDefinition) -> Value? {
    switch name {
    case "name": macro.name.isEmpty ? Value.none : .text(macro.name)
    case "arguments": .tuple(TupleValue(macro.parameters.map { .text($0.name) }))
    case "catch_kwargs": .bool(macro.usesKeywords)
    case "catch_varargs": .bool(macro.usesPositional)
    case "caller": .bool(macro.usesCaller)
    default: nil
    }
  }
}
