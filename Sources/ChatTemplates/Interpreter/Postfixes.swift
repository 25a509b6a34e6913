// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The evaluation of attributes, items, slices, filters and tests.
extension Interpreter {
  func apply(_ operations: [Postfix], to value: Value) throws(Fault) -> Value {
    var value = value
    for operation in operations { value = try apply(operation, to: value) }
    return value
  }

  private func apply(_ postfix: Postfix, to value: Value) throws(Fault) -> Value {
    try budget.take(steps: 1)
    switch postfix.operation {
    case .attribute(let name):
      position = postfix.position
      return try attribute(name, of: value)
    case .item(let expression):
      let key = try evaluate(expression)
      position = postfix.position
      return try item(key, of: value)
    case .slice(let start, let end, let step):
      let bounds = (try bound(start), try bound(end), try bound(step))
      position = postfix.position
      return try slice(value, bounds.0, bounds.1, bounds.2)
    case .call(let arguments):
      let arguments = try evaluate(arguments)
      position = postfix.position
      return try call(value, arguments)
    case .filter(let name, let arguments):
      let arguments = try evaluate(arguments)
      position = postfix.position
      guard Filters.names.contains(name) else { throw Fault(.unknownName, "No filter named '\(name)' found.") }
      return try Filters.apply(name, to: value, arguments, self)
    case .test(let name, let arguments, let isNegated):
      let arguments = try evaluate(arguments)
      position = postfix.position
      guard Tests.names.contains(name) else { throw Fault(.unknownName, "No test named '\(name)' found.") }
      return .bool(try Tests.passes(name, value, arguments, self) != isNegated)
    }
  }

  private func bound(_ expression: Expression?) throws(Fault) -> Value {
    if let expression { try evaluate(expression) } else { .none }
  }

  func evaluate(_ arguments: CallArguments) throws(Fault) -> Arguments {
    var values = Arguments()
    for argument in arguments.positional { values.positional.append(try evaluate(argument)) }
    for keyword in arguments.keywords { values.keywords.append((keyword.name, try evaluate(keyword.value))) }
    if let list = arguments.unpackedList { values.positional += try elements(of: evaluate(list)) }
    if let dictionary = arguments.unpackedDictionary {
      guard case .dictionary(let dictionary) = try evaluate(dictionary) else {
        throw Fault(.type, "argument after ** must be a mapping")
      }
      for entry in dictionary.entries {
        guard case .string(let name) = entry.key else { throw Fault(.type, "keywords must be strings") }
        values.keywords.append((name.string, entry.value))
      }
    }
    return values
  }

  // MARK: Attributes and items

  /// Returns `object.name`: a method or property of the object, or else an item.
  func attribute(_ name: String, of object: Value) throws(Fault) -> Value {
    if let found = try Attributes.find(name, of: object) { return found }
    let key = Text(name)
    switch object {
    case .dictionary(let dictionary):
      if let value = dictionary.value(named: key) { return value }
    case .undefined(let undefined): throw undefined.fault
    default: break
    }
    return Undefined.attribute(key, of: object)
  }

  /// Returns `object[key]`: an item of the object, or else a method or property.
  func item(_ key: Value, of object: Value) throws(Fault) -> Value {
    if case .undefined(let undefined) = object { throw undefined.fault }
    if let value = try element(key, of: object) { return value }
    if case .string(let name) = key {
      return try Attributes.find(name.string, of: object) ?? Undefined.attribute(name, of: object)
    }
    let keyText = try representation(of: key).string
    return .undefined(Undefined("\(object.objectName) has no element \(keyText)"))
  }

  private func element(_ key: Value, of object: Value) throws(Fault) -> Value? {
    switch object {
    case .dictionary(let dictionary):
      // A dictionary cannot contain an unhashable key.
      return (try? dictionary.value(for: key)) ?? nil
    case .string(let text):
      guard let index = offset(key, text.count) else { return nil }
      return .string(Text([text.letters[index]], isMarkup: text.isMarkup))
    case .list(let list): return offset(key, list.elements.count).map { list.elements[$0] }
    case .tuple(let tuple): return offset(key, tuple.elements.count).map { tuple.elements[$0] }
    case .range(let range): return offset(key, range.count).map { range.element($0) }
    default: return nil
    }
  }

  private func offset(_ key: Value, _ count: Int) -> Int? {
    guard let index = key.asIndex else { return nil }
    let offset = index < 0 ? index.addingReportingOverflow(count).partialValue : index
    return offset >= 0 && offset < count ? offset : nil
  }

  // MARK: Slices

  private func slice(_ value: Value, _ start: Value, _ end: Value, _ step: Value) throws(Fault) -> Value {
    if case .undefined(let undefined) = value { throw undefined.fault }
    let count: Int
    switch value {
    case .string(let text): count = text.count
    case .list(let list): count = list.elements.count
    case .tuple(let tuple): count = tuple.elements.count
    case .range(let range): count = range.count
    case .dictionary: throw Fault(.type, "unhashable type: 'slice'")
    default: throw Fault(.type, "'\(value.typeName)' object is not subscriptable")
    }
    guard let indices = try indices(count, start, end, step) else {
      throw Fault(.type, "slice indices must be integers or None or have an __index__ method")
    }
    switch value {
    case .string(let text):
      if let range = indices.range { return try makeText(Text(text.letters[range]).marked(text.isMarkup)) }
      return try makeText(Text(indices.map { text.letters[$0] }, isMarkup: text.isMarkup))
    case .list(let list): return try makeList(indices.map { list.elements[$0] })
    case .tuple(let tuple): return try makeTuple(indices.map { tuple.elements[$0] })
    case .range(let range): return .range(indices.slice(range))
    default: return .none
    }
  }

  /// Returns the indices that a slice selects; nil if a bound is not an integer.
  private func indices(_ count: Int, _ start: Value, _ end: Value, _ step: Value) throws(Fault) -> SliceIndices? {
    for bound in [start, end, step] where !bound.isNone && bound.asIndex == nil { return nil }
    let step = step.asIndex ?? 1
    guard step != 0 else { throw Fault(.value, "slice step cannot be zero") }
    func clamped(_ bound: Value, _ standard: Int) -> Int {
      guard let index = bound.asIndex else { return standard }
      let offset = index < 0 ? index + count : index
      return step > 0 ? min(max(offset, 0), count) : min(max(offset, -1), count - 1)
    }
    return SliceIndices(
      start: clamped(start, step > 0 ? 0 : count - 1), end: clamped(end, step > 0 ? count : -1), step: step)
  }
}

/// The indices that a slice selects from a sequence.
private struct SliceIndices {
  let start: Int
  let end: Int
  let step: Int

  private var count: Int { RangeValue(start: start, end: end, step: step).count }

  /// The indices as a range, if they are consecutive.
  var range: Range<Int>? { step == 1 ? start..<max(start, end) : nil }

  func map<Element>(_ transform: (Int) -> Element) -> [Element] {
    (0..<count).map { transform(start + $0 * step) }
  }

  func slice(_ range: RangeValue) -> RangeValue {
    RangeValue(start: range.start + start * range.step, end: range.start + end * range.step, step: range.step * step)
  }
}
