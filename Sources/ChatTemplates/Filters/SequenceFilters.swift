// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Filters over the elements of a value.
extension FilterCall {
  func sequence() throws(Fault) -> Value {
    switch name {
    case "list":
      try takesNothing()
      return try interpreter.makeList(interpreter.elements(of: value))
    case "items": return try items()
    case "first", "last": return try end()
    case "reverse": return try reverse()
    case "batch", "slice": return try portions()
    case "unique": return try unique()
    case "min", "max": return try extreme()
    case "sort": return try sort()
    case "dictsort": return try sortDictionary()
    case "groupby": return try group()
    case "map": return try map()
    default: return try select()
    }
  }

  /// Makes a generator over the elements of a value; without elements if the value is false. Filters that apply other filters or
  /// tests accept None in this way.
  private func lenientGenerator(_ make: @escaping ([Value]) throws(Fault) -> [Value]) -> Value {
    value.isTrue ? generator(make) : .generator(Generator(depth: 0) { () throws(Fault) in [] })
  }

  /// Makes a generator over the elements of the value.
  private func generator(_ make: @escaping ([Value]) throws(Fault) -> [Value]) -> Value {
    let (value, interpreter) = (value, interpreter)
    return .generator(
      Generator(depth: value.depth) { () throws(Fault) in
        let elements = try make(interpreter.elements(of: value))
        for element in elements { try interpreter.budget.check(depth: element.depth) }
        return elements
      })
  }

  private func items() throws(Fault) -> Value {
    try takesNothing()
    switch value {
    case .undefined: return .generator(Generator(depth: 0) { () throws(Fault) in [] })
    case .dictionary(let dictionary):
      let interpreter = interpreter
      return .generator(
        Generator(depth: dictionary.depth) { () throws(Fault) in
          try interpreter.budget.take(steps: dictionary.count)
          return DictionaryView(dictionary: dictionary, kind: .items).elements
        })
    default: throw Fault(.type, "Can only get item pairs from a mapping.")
    }
  }

  private func end() throws(Fault) -> Value {
    try takesNothing()
    let missing = Value.undefined(Undefined("No \(name) item, sequence was empty."))
    switch value {
    case .generator(let generator) where name == "first": return try generator.first() ?? missing
    case .string(let text):
      return (name == "first" ? text.letters.first : text.letters.last).map { .string(Text([$0])) } ?? missing
    case .range(let range): return range.count == 0 ? missing : range.element(name == "first" ? 0 : range.count - 1)
    case .list(let list): return (name == "first" ? list.elements.first : list.elements.last) ?? missing
    case .generator: throw Fault(.type, "'generator' object is not reversible")
    default:
      let elements = try interpreter.elements(of: value)
      return (name == "first" ? elements.first : elements.last) ?? missing
    }
  }

  private func reverse() throws(Fault) -> Value {
    try takesNothing()
    if case .string(let text) = value { return try interpreter.makeText(Text(text.letters.reversed()).marked(text.isMarkup)) }
    if !value.isIterable { throw Fault(.runtime, "argument must be iterable") }
    let elements = Array(try interpreter.elements(of: value).reversed())
    if case .generator = value { return try interpreter.makeList(elements) }
    return .generator(Generator(depth: value.depth) { () throws(Fault) in elements })
  }

  private func portions() throws(Fault) -> Value {
    let values = try bound([name == "batch" ? "linecount" : "slices", "fill_with"], required: 1)
    let count = try values[0].integer(or: 0, "count")
    let filling = values[1].flatMap { $0.isNone ? nil : $0 }
    let (isBatch, interpreter) = (name == "batch", interpreter)
    return generator { (elements) throws(Fault) in
      if isBatch { return try Self.batches(elements, count, filling, interpreter) }
      return try Self.slices(elements, count, filling, interpreter)
    }
  }

  private static func batches(
    _ elements: [Value], _ size: Int, _ filling: Value?, _ interpreter: Interpreter
  ) throws(Fault) -> [Value] {
    var batches: [[Value]] = []
    for element in elements {
      if batches.isEmpty || batches[batches.count - 1].count == size { batches.append([]) }
      batches[batches.count - 1].append(element)
    }
    if let filling, let last = batches.last, last.count < size {
      try interpreter.budget.take(steps: size - last.count)
      batches[batches.count - 1] += [Value](repeating: filling, count: size - last.count)
    }
    var lists: [Value] = []
    for batch in batches { lists.append(try interpreter.makeList(batch)) }
    return lists
  }

  private static func slices(
    _ elements: [Value], _ count: Int, _ filling: Value?, _ interpreter: Interpreter
  ) throws(Fault) -> [Value] {
    guard count != 0 else { throw Fault(.arithmetic, "integer division or modulo by zero") }
    guard count > 0 else { return [] }
    try interpreter.budget.take(steps: count)
    var lists: [Value] = []
    var start = 0
    for index in 0..<count {
      let isLonger = index < elements.count % count
      let end = start + elements.count / count + (isLonger ? 1 : 0)
      var slice = Array(elements[start..<end])
      if let filling, !isLonger { slice.append(filling) }
      lists.append(try interpreter.makeList(slice))
      start = end
    }
    return lists
  }

  // MARK: Keys

  private func unique() throws(Fault) -> Value {
    let values = try bound(["case_sensitive", "attribute"])
    let path = try AttributePath(values[1], ignoresCase: !values[0].isTrue(or: false))
    let interpreter = interpreter
    return generator { (elements) throws(Fault) in
      var seen: Set<DictionaryKey> = []
      var kept: [Value] = []
      for element in elements {
        try interpreter.measure(element)
        if seen.insert(try DictionaryKey(path.value(of: element, interpreter))).inserted { kept.append(element) }
      }
      return kept
    }
  }

  private func extreme() throws(Fault) -> Value {
    let values = try bound(["case_sensitive", "attribute"])
    let path = try AttributePath(values[1], ignoresCase: !values[0].isTrue(or: false))
    let elements = try interpreter.elements(of: value)
    guard var best = elements.first else { return .undefined(Undefined("No aggregated item, sequence was empty.")) }
    var bestKey = try path.value(of: best, interpreter)
    for element in elements.dropFirst() {
      let key = try path.value(of: element, interpreter)
      try interpreter.payForComparing(key, bestKey)
      let isBetter = name == "min" ? try key.order(bestKey, "<") == .less : try key.order(bestKey, ">") == .greater
      if isBetter { (best, bestKey) = (element, key) }
    }
    return best
  }

  private func sort() throws(Fault) -> Value {
    let values = try bound(["reverse", "case_sensitive", "attribute"])
    let ignoresCase = !values[1].isTrue(or: false)
    var paths: [AttributePath] = []
    if case .string(let names) = values[2] {
      for name in names.split(by: ",", limit: .max) { paths.append(try AttributePath(.string(name), ignoresCase: ignoresCase)) }
    } else {
      paths = [try AttributePath(values[2], ignoresCase: ignoresCase)]
    }
    let interpreter = interpreter
    return try sorted(interpreter.elements(of: value), descending: values[0].isTrue(or: false)) { (element) throws(Fault) in
      var keys: [Value] = []
      for path in paths { keys.append(try path.value(of: element, interpreter)) }
      return try interpreter.makeList(keys)
    }
  }

  private func sorted(
    _ elements: [Value], descending: Bool, by key: (Value) throws(Fault) -> Value
  ) throws(Fault) -> Value {
    // Each level of the merge sort visits all elements, and comparing costs more than visiting.
    let levels = 6 * (elements.count.bitWidth - elements.count.leadingZeroBitCount)
    for _ in 0..<levels { for element in elements { try interpreter.measure(element) } }
    return try interpreter.makeList(elements.sorted(descending: descending, by: key))
  }

  private func sortDictionary() throws(Fault) -> Value {
    let values = try bound(["case_sensitive", "by", "reverse"])
    let by = try values[1].map { (value) throws(Fault) in try string(value) } ?? "key"
    guard by == "key" || by == "value" else {
      throw Fault(.runtime, "You can only sort by either \"key\" or \"value\"")
    }
    guard case .dictionary(let dictionary) = value else {
      if case .undefined(let undefined) = value { throw undefined.fault }
      throw Fault(.type, "'\(value.typeName)' object has no attribute 'items'")
    }
    let path = try AttributePath(.integer(by == "key" ? 0 : 1), ignoresCase: !values[0].isTrue(or: false))
    let interpreter = interpreter
    let entries = DictionaryView(dictionary: dictionary, kind: .items).elements
    return try sorted(entries, descending: values[2].isTrue(or: false)) { (entry) throws(Fault) in
      try path.value(of: entry, interpreter)
    }
  }

  private func group() throws(Fault) -> Value {
    let values = try bound(["attribute", "default", "case_sensitive"], required: 1)
    let standard = values[1].flatMap { $0.isNone ? nil : $0 }
    let ignoresCase = !values[2].isTrue(or: false)
    let path = try AttributePath(values[0], ignoresCase: ignoresCase, standard: standard)
    let shown = try AttributePath(values[0], standard: standard)
    let interpreter = interpreter
    let ordered = try sorted(interpreter.elements(of: value), descending: false) { (element) throws(Fault) in
      try path.value(of: element, interpreter)
    }
    var groups: [(key: Value, elements: [Value])] = []
    for element in try ordered.elements() {
      let key = try path.value(of: element, interpreter)
      if let last = groups.last, last.key.equals(key) {
        groups[groups.count - 1].elements.append(element)
      } else {
        groups.append((key, [element]))
      }
    }
    var tuples: [Value] = []
    for group in groups {
      let list = try interpreter.makeList(group.elements)
      let key = try shown.value(of: group.elements[0], interpreter)
      tuples.append(try interpreter.makeTuple([key, list], names: ["grouper", "list"]))
    }
    return try interpreter.makeList(tuples)
  }

  // MARK: map, select

  private func map() throws(Fault) -> Value {
    let (arguments, interpreter) = (arguments, interpreter)
    if arguments.positional.isEmpty, let attribute = arguments.keywords.first(where: { $0.name == "attribute" }) {
      let standard = arguments.keywords.first { $0.name == "default" }?.value
      return lenientGenerator { (elements) throws(Fault) in
        if let other = arguments.keywords.first(where: { $0.name != "attribute" && $0.name != "default" }) {
          throw Fault(.runtime, "Unexpected keyword argument '\(other.name)'")
        }
        let path = try AttributePath(attribute.value, standard: standard.flatMap { $0.isNone ? nil : $0 })
        var mapped: [Value] = []
        for element in elements { mapped.append(try path.value(of: element, interpreter)) }
        return mapped
      }
    }
    return lenientGenerator { (elements) throws(Fault) in
      guard let name = arguments.positional.first else { throw Fault(.runtime, "map requires a filter argument") }
      let filter = try interpreter.text(of: name).string
      guard Filters.names.contains(filter) else { throw Fault(.unknownName, "No filter named '\(filter)'.") }
      let rest = Arguments(positional: Array(arguments.positional.dropFirst()), keywords: arguments.keywords)
      try interpreter.budget.enter()
      defer { interpreter.budget.leave() }
      var mapped: [Value] = []
      for element in elements { mapped.append(try Filters.apply(filter, to: element, rest, interpreter)) }
      return mapped
    }
  }

  private func select() throws(Fault) -> Value {
    let (arguments, interpreter) = (arguments, interpreter)
    let hasAttribute = name.hasSuffix("attr")
    let isRejecting = name.hasPrefix("reject")
    return lenientGenerator { (elements) throws(Fault) in
      var rest = arguments.positional[...]
      var path = try AttributePath(nil)
      if hasAttribute {
        guard let attribute = rest.popFirst() else { throw Fault(.runtime, "Missing parameter for attribute name") }
        path = try AttributePath(attribute)
      }
      let test = try rest.popFirst().map { (name) throws(Fault) in try interpreter.text(of: name).string }
      if let test, !Tests.names.contains(test) { throw Fault(.unknownName, "No test named '\(test)'.") }
      let values = Arguments(positional: Array(rest), keywords: arguments.keywords)
      var kept: [Value] = []
      for element in elements {
        let subject = try path.value(of: element, interpreter)
        let passes = try test.map { (test) throws(Fault) in try Tests.passes(test, subject, values, interpreter) } ?? subject.isTrue
        if passes != isRejecting { kept.append(element) }
      }
      return kept
    }
  }
}

/// The attribute by which a filter examines elements: names and numbers separated by dots, or none.
struct AttributePath {
  private let parts: [Value]
  private let ignoresCase: Bool
  private let standard: Value?

  /// - Parameters:
  ///   - ignoresCase: Whether strings are converted to lower case.
  ///   - standard: The value of a part that is undefined.
  init(_ attribute: Value?, ignoresCase: Bool = false, standard: Value? = nil) throws(Fault) {
    switch attribute ?? .none {
    case .none: parts = []
    case .string(let path):
      parts = path.split(by: ".", limit: .max).map { part in
        let isNumber = !part.isEmpty && part.letters.allSatisfy(\.isDecimal)
        return isNumber ? Int128(part.string).map(Value.integer) ?? .string(part) : .string(part)
      }
    case let index: parts = [index]
    }
    self.ignoresCase = ignoresCase
    self.standard = standard
  }

  func value(of element: Value, _ interpreter: Interpreter) throws(Fault) -> Value {
    var value = element
    for part in parts {
      value = try interpreter.item(part, of: value)
      if value.isUndefined, let standard { value = standard }
    }
    if ignoresCase, case .string(let text) = value {
      try interpreter.budget.take(characters: text.count)
      return .string(text.lowercased())
    }
    return value
  }
}
