// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Runs a template once.
///
/// It walks the syntax tree. `Budget` limits its steps, its depth, and the size of what it makes.
final class Interpreter {
  let program: Program
  let date: TemplateDate?
  var budget: Budget
  /// The place in the template that is running, for errors.
  var position = TemplatePosition.start

  /// The variables of the conversation and the functions of the environment, by symbol.
  private let globals: [Value?]
  /// The symbols of special names; nil if the template does not contain them.
  let loopSymbol: Symbol?
  let callerSymbol: Symbol?
  let positionalSymbol: Symbol?
  let keywordsSymbol: Symbol?

  var output: [Letter] = []
  var scope: Scope

  /// Objects that may refer to themselves; they are emptied at the end.
  private var scopesWithMacros: [Scope] = []
  private var namespaces: [Namespace] = []

  init(_ program: Program, variables: [String: Value], date: TemplateDate?, limits: JinjaLimits) {
    self.program = program
    self.date = date
    budget = Budget(limits)
    globals = program.names.map { variables[$0] ?? Self.function(named: $0) }
    loopSymbol = program.names.firstIndex(of: "loop")
    callerSymbol = program.names.firstIndex(of: "caller")
    positionalSymbol = program.names.firstIndex(of: "varargs")
    keywordsSymbol = program.names.firstIndex(of: "kwargs")
    scope = Scope(parent: nil)
    for symbol in program.hiddenNames[0] { scope.set(symbol, to: Value?(nil)) }
  }

  private static func function(named name: String) -> Value? {
    guard let function = Function(rawValue: name), function != .fromKeys else { return nil }
    return .function(function)
  }

  func render() throws(JinjaError) -> [Letter] {
    defer { release() }
    do throws(Fault) {
      _ = try execute(program.body)
      return output
    } catch {
      throw error.at(position)
    }
  }

  /// Breaks reference cycles.
  private func release() {
    for scope in scopesWithMacros { scope.clear() }
    let empty = DictionaryValue()
    for namespace in namespaces { namespace.attributes = empty }
  }

  // MARK: Names

  func lookUp(_ symbol: Symbol) -> Value {
    var current: Scope? = scope
    while let scope = current {
      if let found = scope[symbol] { return found ?? Undefined.name(program.names[symbol]) }
      current = scope.parent
    }
    return globals[symbol] ?? Undefined.name(program.names[symbol])
  }

  /// Runs `body` in a new scope.
  func inScope<Result>(
    _ number: ScopeNumber, parent: Scope? = nil, _ body: () throws(Fault) -> Result
  ) throws(Fault) -> Result {
    let outer = scope
    scope = Scope(parent: parent ?? outer)
    for symbol in program.hiddenNames[number] { scope.set(symbol, to: Value?(nil)) }
    defer { scope = outer }
    return try body()
  }

  /// Returns what `body` writes, instead of adding it to the output.
  func capture(_ body: () throws(Fault) -> Void) throws(Fault) -> Text {
    let outer = output
    output = []
    defer { output = outer }
    try body()
    return Text(output)
  }

  func write(_ letters: [Letter]) throws(Fault) {
    try budget.take(characters: letters.count)
    output += letters
  }

  func hold(_ namespace: Namespace) { namespaces.append(namespace) }
  func holdScopeWithMacro() { scopesWithMacros.append(scope) }

  // MARK: Making values

  func makeList(_ elements: [Value]) throws(Fault) -> Value {
    try budget.take(steps: elements.count)
    let list = ListValue(elements)
    try budget.check(depth: list.depth)
    return .list(list)
  }

  func makeTuple(_ elements: [Value], names: [String] = []) throws(Fault) -> Value {
    try budget.take(steps: elements.count)
    let tuple = TupleValue(elements, names: names)
    try budget.check(depth: tuple.depth)
    return .tuple(tuple)
  }

  func makeDictionary(_ entries: [(key: Value, value: Value)]) throws(Fault) -> Value {
    try budget.take(steps: entries.count)
    let dictionary = try DictionaryValue(entries)
    try budget.check(depth: dictionary.depth)
    return .dictionary(dictionary)
  }

  /// Makes a string, and counts its characters.
  func makeText(_ text: Text) throws(Fault) -> Value {
    try budget.take(characters: text.count)
    return .string(text)
  }

  /// Returns the text of a value. Its characters are counted, except those of a string, which was counted when it was made.
  func text(of value: Value) throws(Fault) -> Text {
    if case .string(let text) = value { return text }
    if case .undefined = value { return "" }
    let text = try representation(of: value)
    return text
  }

  /// Returns `repr` of a value, and counts its characters. One value may contain another many times, so its size is measured first.
  func representation(of value: Value) throws(Fault) -> Text {
    try measure(value)
    let text = try value.representation()
    try budget.take(characters: text.count)
    return text
  }

  /// Counts all elements in a value and all characters of its strings, as often as writing the value would visit them.
  func measure(_ value: Value, level: Int = 0) throws(Fault) {
    guard level < 256 else { throw Fault(.limit, "a value is nested too deeply to be written") }
    switch value {
    case .string(let text): try budget.take(characters: text.count)
    case .list(let list): try measure(list.elements, level)
    case .tuple(let tuple): try measure(tuple.elements, level)
    case .dictionary(let dictionary):
      try measure(dictionary.entries.map(\.key), level)
      try measure(dictionary.entries.map(\.value), level)
    case .view(let view): try measure(view.elements, level)
    case .namespace(let namespace): try measure(.dictionary(namespace.attributes), level: level + 1)
    default: break
    }
  }

  private func measure(_ elements: [Value], _ level: Int) throws(Fault) {
    try budget.take(steps: elements.count)
    for element in elements { try measure(element, level: level + 1) }
  }

  /// Returns the elements of a value, and counts them.
  func elements(of value: Value) throws(Fault) -> [Value] {
    if case .range(let range) = value { try budget.take(steps: range.count) }
    if case .string(let text) = value { try budget.take(steps: text.count) }
    let elements = try value.elements()
    try budget.take(steps: elements.count)
    return elements
  }
}
