// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A value of the template language, corresponding to a Python object in Jinja2.
enum Value {
  case undefined(Undefined)
  case none
  case bool(Bool)
  case integer(Int128)
  case float(Double)
  case string(Text)
  case list(ListValue)
  case tuple(TupleValue)
  case dictionary(DictionaryValue)
  case range(RangeValue)
  case view(DictionaryView)
  case generator(Generator)
  case namespace(Namespace)
  case loop(LoopState)
  case macro(Macro)
  case function(Function)
  case method(Method)
  case cycler(Cycler)
  case joiner(Joiner)

  static func text(_ string: String) -> Value { .string(Text(string)) }

  /// The depth of nested lists and dictionaries in it; 0 for a value without elements.
  var depth: Int {
    switch self {
    case .list(let list): list.depth
    case .tuple(let tuple): tuple.depth
    case .dictionary(let dictionary): dictionary.depth
    case .view(let view): view.dictionary.depth
    case .generator(let generator): generator.depth
    case .namespace(let namespace): namespace.depth
    case .method(let method): method.receiver.depth
    default: 0
    }
  }

  /// The name of the value's type in Python, for messages.
  var typeName: String {
    switch self {
    case .undefined: "Undefined"
    case .none: "NoneType"
    case .bool: "bool"
    case .integer: "int"
    case .float: "float"
    case .string(let text): text.isMarkup ? "Markup" : "str"
    case .list: "list"
    case .tuple: "tuple"
    case .dictionary: "dict"
    case .range: "range"
    case .view(let view): view.kind.rawValue
    case .generator: "generator"
    case .namespace: "Namespace"
    case .loop: "LoopContext"
    case .macro: "Macro"
    case .function: "function"
    case .method: "builtin_function_or_method"
    case .cycler: "Cycler"
    case .joiner: "Joiner"
    }
  }

  /// How Jinja2 refers to the value in messages about a missing attribute or element.
  var objectName: String {
    switch self {
    case .none: "None"
    case .undefined: "Undefined"
    case .namespace: "jinja2.utils.Namespace object"
    case .loop: "jinja2.runtime.LoopContext object"
    case .macro: "jinja2.runtime.Macro object"
    case .cycler: "jinja2.utils.Cycler object"
    case .joiner: "jinja2.utils.Joiner object"
    case .string(let text) where text.isMarkup: "markupsafe.Markup object"
    default: typeName + " object"
    }
  }

  var isUndefined: Bool { if case .undefined = self { true } else { false } }
  var isNone: Bool { if case .none = self { true } else { false } }

  /// Whether Python considers the value true.
  var isTrue: Bool {
    switch self {
    case .undefined, .none: false
    case .bool(let bool): bool
    case .integer(let integer): integer != 0
    case .float(let float): float != 0
    case .string(let text): !text.isEmpty
    case .list(let list): !list.elements.isEmpty
    case .tuple(let tuple): !tuple.elements.isEmpty
    case .dictionary(let dictionary): dictionary.count > 0
    case .range(let range): range.count > 0
    case .view(let view): view.dictionary.count > 0
    default: true
    }
  }

  /// The value as an integer where Python accepts one: a truth value is 0 or 1.
  var asInteger: Int128? {
    switch self {
    case .bool(let bool): bool ? 1 : 0
    case .integer(let integer): integer
    default: nil
    }
  }

  /// The value as an integer for indexing, clamped to the range of `Int`.
  var asIndex: Int? { asInteger.map { Int(clamping: $0) } }

  var isNumber: Bool {
    switch self {
    case .bool, .integer, .float: true
    default: false
    }
  }

  var asText: Text? { if case .string(let text) = self { text } else { nil } }
}

/// Something that does not exist. It is empty and false; any other use of it is an error.
struct Undefined {
  let message: String
  let kind: JinjaError.Kind

  init(_ message: String, kind: JinjaError.Kind = .undefined) {
    self.message = message
    self.kind = kind
  }

  static func name(_ name: String) -> Value { .undefined(Undefined("'\(name)' is undefined")) }

  static func attribute(_ name: Text, of object: Value) -> Value {
    .undefined(Undefined("'\(object.objectName)' has no attribute \(name.representation.string)"))
  }

  static func unsafe(_ name: String, of object: Value) -> Value {
    .undefined(Undefined("access to attribute '\(name)' of '\(object.typeName)' object is unsafe.", kind: .security))
  }

  var fault: Fault { Fault(kind, message) }
}

/// A list. Templates cannot change it, but they can ask whether two lists are the same object.
final class ListValue {
  let elements: [Value]
  let depth: Int

  init(_ elements: [Value]) {
    self.elements = elements
    depth = elements.deepest + 1
  }
}

/// A tuple, possibly with names for its elements.
final class TupleValue {
  let elements: [Value]
  let depth: Int
  /// The names of the elements, if it is a named tuple such as the filter `groupby` makes.
  let names: [String]

  init(_ elements: [Value], names: [String] = []) {
    self.elements = elements
    self.names = names
    depth = elements.deepest + 1
  }
}

extension [Value] {
  fileprivate var deepest: Int { reduce(0) { Swift.max($0, $1.depth) } }
}

/// The result of `range`.
struct RangeValue {
  let start: Int
  let end: Int
  let step: Int

  var count: Int {
    if step > 0 { return start < end ? (end - start - 1) / step + 1 : 0 }
    return start > end ? (start - end - 1) / -step + 1 : 0
  }

  func element(_ index: Int) -> Value { .integer(Int128(start + index * step)) }
  var elements: [Value] { (0..<count).map(element) }

  func contains(_ value: Int128) -> Bool {
    let distance = value - Int128(start)
    return distance % Int128(step) == 0 && distance / Int128(step) >= 0 && distance / Int128(step) < Int128(count)
  }
}

/// The keys, values or entries of a dictionary.
struct DictionaryView {
  enum Kind: String {
    case keys = "dict_keys"
    case values = "dict_values"
    case items = "dict_items"
  }

  let dictionary: DictionaryValue
  let kind: Kind

  var elements: [Value] {
    switch kind {
    case .keys: dictionary.entries.map(\.key)
    case .values: dictionary.entries.map(\.value)
    case .items: dictionary.entries.map { .tuple(TupleValue([$0.key, $0.value])) }
    }
  }
}

/// The elements that a filter such as `map` makes. They are computed when first needed, and each is returned once.
final class Generator {
  private var make: (() throws(Fault) -> [Value])?
  private var elements: [Value] = []
  private var next = 0
  let depth: Int

  /// - Parameter depth: The depth of the values that the elements are made from.
  init(depth: Int, _ make: @escaping () throws(Fault) -> [Value]) {
    self.make = make
    self.depth = depth + 1
  }

  /// Returns all remaining elements.
  func rest() throws(Fault) -> [Value] {
    try fill()
    defer { next = elements.count }
    return Array(elements[next...])
  }

  func first() throws(Fault) -> Value? {
    try fill()
    guard next < elements.count else { return nil }
    next += 1
    return elements[next - 1]
  }

  private func fill() throws(Fault) {
    guard let make else { return }
    self.make = nil
    elements = try make()
  }
}

/// An object whose attributes a template can set.
final class Namespace {
  var attributes: DictionaryValue
  private(set) var depth: Int

  init(_ attributes: DictionaryValue) {
    self.attributes = attributes
    depth = attributes.depth
  }

  func set(_ name: Text, to value: Value) {
    attributes = attributes.setting(.string(name), to: value)
    depth = max(depth, attributes.depth)
  }
}

/// Returns its values in turn.
final class Cycler {
  let values: [Value]
  var index = 0

  init(_ values: [Value]) { self.values = values }

  var current: Value { values[index] }
}

/// Returns its separator, except the first time.
final class Joiner {
  let separator: Text
  var isUsed = false

  init(_ separator: Text) { self.separator = separator }
}

/// A function of the environment.
enum Function: String, CaseIterable {
  case range
  case dict
  case namespace
  case cycler
  case joiner
  case lipsum
  case raiseException = "raise_exception"
  case strftimeNow = "strftime_now"
  /// `dict.fromkeys`.
  case fromKeys = "dict.fromkeys"
}

/// A method of a value.
final class Method {
  let receiver: Value
  let name: String

  init(_ receiver: Value, _ name: String) {
    self.receiver = receiver
    self.name = name
  }
}

/// A macro together with the scope in which it was defined.
final class Macro {
  let definition: MacroDefinition
  /// The scope in which the macro was defined; its body sees the names there.
  let scope: Scope

  init(_ definition: MacroDefinition, scope: Scope) {
    self.definition = definition
    self.scope = scope
  }
}
