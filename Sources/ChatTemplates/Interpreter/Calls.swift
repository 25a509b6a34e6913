// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Calls of functions, macros and methods.
extension Interpreter {
  func call(_ value: Value, _ arguments: Arguments) throws(Fault) -> Value {
    switch value {
    case .undefined(let undefined): throw undefined.fault
    case .function(let function): return try call(function, arguments)
    case .macro(let macro): return try call(macro, arguments)
    case .method(let method): return try call(method, arguments)
    case .loop(let loop): return try recurse(loop, arguments)
    case .joiner(let joiner):
      defer { joiner.isUsed = true }
      return .string(joiner.isUsed ? joiner.separator : "")
    default: throw Fault(.type, "'\(value.typeName)' object is not callable")
    }
  }

  private func recurse(_ loop: LoopState, _ arguments: Arguments) throws(Fault) -> Value {
    guard let (statement, around) = loop.recursion else {
      throw Fault(.type, "The loop must have the 'recursive' marker to be called recursively.")
    }
    guard let items = try arguments.bound(to: ["iterable"], required: 1, in: "loop")[0] else { return .none }
    let elements = try elements(of: items)
    return .string(
      try capture { () throws(Fault) in try run(statement, items: elements, depth: loop.depth + 1, around: around) })
  }

  // MARK: Macros

  private func call(_ macro: Macro, _ arguments: Arguments) throws(Fault) -> Value {
    let definition = macro.definition
    var keywords = arguments.keywords
    var values: [Value?] = []
    for (index, parameter) in definition.parameters.enumerated() {
      if index < arguments.positional.count {
        values.append(arguments.positional[index])
      } else if let place = keywords.firstIndex(where: { $0.name == parameter.name }) {
        values.append(keywords.remove(at: place).value)
      } else {
        values.append(nil)
      }
    }
    let extra = Array(arguments.positional.dropFirst(definition.parameters.count))
    var caller: Value?
    if definition.usesCaller, !definition.parameters.contains(where: { $0.name == "caller" }) {
      let place = keywords.firstIndex { $0.name == "caller" }
      caller = place.map { keywords.remove(at: $0).value } ?? .undefined(Undefined("No caller defined"))
    }
    let name = definition.name.isEmpty ? "None" : "'\(definition.name)'"
    if !definition.usesKeywords, let keyword = keywords.first {
      throw Fault(.type, "macro \(name) takes no keyword argument '\(keyword.name)'")
    }
    if !definition.usesPositional, !extra.isEmpty {
      throw Fault(.type, "macro \(name) takes not more than \(definition.parameters.count) argument(s)")
    }
    let text = try capture { () throws(Fault) in
      try inScope(definition.body.scope, parent: macro.scope) { () throws(Fault) in
        try bind(definition.parameters, values)
        if let callerSymbol, let caller { scope.set(callerSymbol, to: caller) }
        if definition.usesPositional, let positionalSymbol { scope.set(positionalSymbol, to: try makeTuple(extra)) }
        if definition.usesKeywords, let keywordsSymbol {
          scope.set(keywordsSymbol, to: try makeDictionary(keywords.map { (.text($0.name), $0.value) }))
        }
        _ = try execute(definition.body.statements)
      }
    }
    return .string(text)
  }

  private func bind(_ parameters: [MacroDefinition.Parameter], _ values: [Value?]) throws(Fault) {
    for (parameter, value) in zip(parameters, values) {
      if let value {
        scope.set(parameter.symbol, to: value)
      } else if let standard = parameter.standard {
        scope.set(parameter.symbol, to: try evaluate(standard))
      } else {
        scope.set(parameter.symbol, to: .undefined(Undefined("parameter '\(parameter.name)' was not provided")))
      }
    }
  }

  // MARK: Functions of the environment

  private func call(_ function: Function, _ arguments: Arguments) throws(Fault) -> Value {
    switch function {
    case .range: return try range(arguments)
    case .dict: return try dict(arguments)
    case .namespace:
      guard case .dictionary(let attributes) = try dict(arguments) else { return .none }
      let namespace = Namespace(attributes)
      hold(namespace)
      return .namespace(namespace)
    case .cycler:
      guard !arguments.positional.isEmpty else { throw Fault(.runtime, "at least one item has to be provided") }
      return .cycler(Cycler(arguments.positional))
    case .joiner:
      let separator = try arguments.bound(to: ["sep"], in: "joiner")[0]
      return .joiner(Joiner(try separator.map { (value) throws(Fault) in try text(of: value) } ?? ", "))
    case .lipsum: throw Fault(.unsupported, "the function 'lipsum' is not supported: it makes random text")
    case .raiseException:
      let message = try arguments.bound(to: ["message"], required: 1, in: function.rawValue)[0] ?? .none
      throw Fault(.raised, try text(of: message).string)
    case .strftimeNow:
      let format = try arguments.bound(to: ["format"], required: 1, in: function.rawValue)[0] ?? .none
      guard case .string(let format) = format else {
        throw Fault(.type, "strftime() argument 1 must be str, not \(format.typeName)")
      }
      guard let date else { throw Fault(.runtime, "the template asks for the date and none was given") }
      return try makeText(date.formatted(format))
    case .fromKeys: return try fromKeys(arguments)
    }
  }

  private func range(_ arguments: Arguments) throws(Fault) -> Value {
    guard arguments.keywords.isEmpty else { throw Fault(.type, "range() takes no keyword arguments") }
    guard (1...3).contains(arguments.positional.count) else {
      throw Fault(.type, "range expected 1 to 3 arguments, got \(arguments.positional.count)")
    }
    var bounds: [Int] = []
    for value in arguments.positional {
      guard let integer = value.asInteger else {
        throw Fault(.type, "'\(value.typeName)' object cannot be interpreted as an integer")
      }
      // No allowed range reaches beyond this.
      bounds.append(Int(max(-(1 << 62), min(1 << 62, integer))))
    }
    let step = bounds.count == 3 ? bounds[2] : 1
    guard step != 0 else { throw Fault(.value, "range() arg 3 must not be zero") }
    let start = bounds.count == 1 ? 0 : bounds[0]
    let end = bounds.count == 1 ? bounds[0] : bounds[1]
    // The distance between the bounds can be 2^63, which does not fit in an `Int`.
    let count = (Int128(end) - Int128(start)) / Int128(step)
    guard count <= 100_000 else {
      throw Fault(.arithmetic, "Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000).")
    }
    if count < 0 { return .range(RangeValue(start: 0, end: 0, step: 1)) }
    let range = RangeValue(start: start, end: end, step: step)
    guard range.count <= 100_000 else {
      throw Fault(.arithmetic, "Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000).")
    }
    return .range(range)
  }

  private func dict(_ arguments: Arguments) throws(Fault) -> Value {
    guard arguments.positional.count <= 1 else {
      throw Fault(.type, "dict expected at most 1 argument, got \(arguments.positional.count)")
    }
    var entries: [(key: Value, value: Value)] = []
    switch arguments.positional.first {
    case .dictionary(let dictionary): entries = dictionary.entries
    case let pairs?:
      for (index, pair) in try elements(of: pairs).enumerated() {
        guard pair.isIterable else {
          throw Fault(.type, "cannot convert dictionary update sequence element #\(index) to a sequence")
        }
        let pair = try elements(of: pair)
        guard pair.count == 2 else {
          throw Fault(.value, "dictionary update sequence element #\(index) has length \(pair.count); 2 is required")
        }
        entries.append((pair[0], pair[1]))
      }
    case nil: break
    }
    entries += arguments.keywords.map { (.text($0.name), $0.value) }
    return try makeDictionary(entries)
  }

  private func fromKeys(_ arguments: Arguments) throws(Fault) -> Value {
    let values = try arguments.bound(to: ["iterable", "value"], required: 1, in: "fromkeys")
    let value = values[1] ?? .none
    return try makeDictionary(elements(of: values[0] ?? .none).map { ($0, value) })
  }

  // MARK: Methods

  private func call(_ method: Method, _ arguments: Arguments) throws(Fault) -> Value {
    switch method.receiver {
    case .string(let text): return try StringMethods.call(method.name, text, arguments, self)
    case .dictionary(let dictionary): return try call(method.name, dictionary, arguments)
    case .list(let list): return try call(method.name, list.elements, method.receiver, arguments)
    case .tuple(let tuple): return try call(method.name, tuple.elements, method.receiver, arguments)
    case .range(let range): return try call(method.name, range.elements, method.receiver, arguments)
    case .loop(let loop): return try call(method.name, loop, arguments)
    case .cycler(let cycler):
      guard method.name == "next" else {
        cycler.index = 0
        return .none
      }
      defer { cycler.index = (cycler.index + 1) % cycler.values.count }
      return cycler.current
    case .float(let float) where method.name == "is_integer": return .bool(float.isFinite && float == float.rounded())
    case .integer, .bool, .float:
      throw Fault(.unsupported, "the method '\(method.name)' of \(method.receiver.typeName) is not supported")
    default: throw Fault(.type, "'\(method.receiver.typeName)' object has no method '\(method.name)'")
    }
  }

  private func call(_ name: String, _ loop: LoopState, _ arguments: Arguments) throws(Fault) -> Value {
    if name == "cycle" {
      guard !arguments.positional.isEmpty else { throw Fault(.type, "no items for cycling given") }
      return arguments.positional[loop.index % arguments.positional.count]
    }
    let last = loop.lastChanged
    loop.lastChanged = arguments.positional
    guard let last, last.count == arguments.positional.count else { return .bool(true) }
    return .bool(!zip(last, arguments.positional).allSatisfy { $0.equals($1) })
  }

  private func call(_ name: String, _ dictionary: DictionaryValue, _ arguments: Arguments) throws(Fault) -> Value {
    switch name {
    case "get":
      guard arguments.keywords.isEmpty else { throw Fault(.type, "dict.get() takes no keyword arguments") }
      let values = try arguments.bound(to: ["key", "default"], required: 1, in: "get")
      return try dictionary.value(for: values[0] ?? .none) ?? values[1] ?? .none
    case "keys", "values", "items":
      _ = try arguments.bound(to: [], in: "dict.\(name)")
      let kinds: [String: DictionaryView.Kind] = ["keys": .keys, "values": .values, "items": .items]
      return .view(DictionaryView(dictionary: dictionary, kind: kinds[name] ?? .keys))
    case "copy": return try makeDictionary(dictionary.entries)
    default: return try fromKeys(arguments)
    }
  }

  /// Calls a method of a sequence: `index`, `count` or `copy`.
  private func call(
    _ name: String, _ elements: [Value], _ receiver: Value, _ arguments: Arguments
  ) throws(Fault) -> Value {
    if name == "copy" { return try makeList(elements) }
    let values = try arguments.bound(to: ["value", "start", "stop"], required: 1, in: name)
    let value = values[0] ?? .none
    try budget.take(steps: elements.count)
    if name == "count" { return .integer(Int128(elements.count { $0.equals(value) })) }
    let start = try values[1].integer(or: 0, "start")
    let end = try values[2].integer(or: elements.count, "stop")
    func clamped(_ index: Int) -> Int { min(max(index < 0 ? index + elements.count : index, 0), elements.count) }
    if clamped(start) < clamped(end),
      let index = elements[clamped(start)..<clamped(end)].firstIndex(where: { $0.equals(value) })
    {
      return .integer(Int128(index))
    }
    if case .tuple = receiver { throw Fault(.value, "tuple.index(x): x not in tuple") }
    throw Fault(.value, "\(try representation(of: value).string) is not in \(receiver.typeName)")
  }
}
