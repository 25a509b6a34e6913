// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The execution of statements.
extension Interpreter {
  /// What happens after a statement: the next one runs, or the iteration of a loop ends.
  enum Flow { case next, breakLoop, continueLoop }

  func execute(_ body: [Statement]) throws(Fault) -> Flow {
    try budget.enter()
    defer { budget.leave() }
    for statement in body {
      try budget.take(steps: 1)
      let flow = try execute(statement)
      guard flow == .next else { return flow }
    }
    return .next
  }

  private func execute(_ body: ScopedBody) throws(Fault) -> Flow {
    try inScope(body.scope) { () throws(Fault) in try execute(body.statements) }
  }

  private func execute(_ statement: Statement) throws(Fault) -> Flow {
    switch statement {
    case .text(let text): try write(text.letters)
    case .output(let expression, let position): try output(expression, position)
    case .assignment(let target, let value, let position):
      self.position = position
      try assign(target, evaluate(value))
    case .blockAssignment(let target, let filters, let body, let position):
      return try assignBlock(target, filters, body, position)
    case .condition(let branches, let otherwise):
      for branch in branches where try evaluate(branch.test).isTrue { return try execute(branch.body) }
      return try execute(otherwise)
    case .loop(let loop):
      try run(loop, items: iterate(loop), depth: 0, around: scope)
    case .macro(let definition): define(definition)
    case .call(let callee, let caller, let position): try call(callee, caller: caller, position)
    case .filter(let filters, let body): return try filter(filters, body)
    case .with(let assignments, let body, let position): return try with(assignments, body, position)
    case .scope(let body): return try execute(body)
    case .otherTemplate(let position):
      self.position = position
      throw Fault(.type, "no loader for this environment specified")
    case .breakLoop: return .breakLoop
    case .continueLoop: return .continueLoop
    }
    return .next
  }

  private func output(_ expression: Expression, _ position: TemplatePosition) throws(Fault) {
    self.position = position
    let value = try evaluate(expression)
    switch value {
    case .string(let text): try write(text.letters)
    case .undefined: break
    default: try write(text(of: value).letters)
    }
  }

  // MARK: Loops

  private func iterate(_ loop: Statement.Loop) throws(Fault) -> [Value] {
    position = loop.position
    let sequence = try evaluate(loop.sequence)
    position = loop.position
    return try elements(of: sequence)
  }

  /// Runs a loop over some items.
  func run(_ loop: Statement.Loop, items: [Value], depth: Int, around: Scope) throws(Fault) {
    let items = try filtered(items, loop, around)
    let state = LoopState(items, depth: depth, recursion: loop.isRecursive ? (loop, around) : nil)
    // As in the code that Jinja2 generates, `else` runs unless some iteration reached its end. So it also runs if the first
    // iteration leaves the loop.
    var hasRun = false
    for (index, item) in items.enumerated() {
      try budget.take(steps: 1)
      state.index = index
      let flow = try inScope(loop.body.scope, parent: around) { () throws(Fault) in
        if let loopSymbol { scope.set(loopSymbol, to: .loop(state)) }
        try assign(loop.target, item)
        return try execute(loop.body.statements)
      }
      if flow == .next { hasRun = true }
      if flow == .breakLoop { break }
    }
    if !hasRun {
      _ = try inScope(loop.otherwise.scope, parent: around) { () throws(Fault) in try execute(loop.otherwise.statements) }
    }
  }

  /// Returns the items that satisfy the loop's own condition; `loop` counts only those.
  private func filtered(_ items: [Value], _ loop: Statement.Loop, _ around: Scope) throws(Fault) -> [Value] {
    guard let condition = loop.condition else { return items }
    var kept: [Value] = []
    for item in items {
      let isKept = try inScope(loop.conditionScope, parent: around) { () throws(Fault) in
        try assign(loop.target, item)
        return try evaluate(condition).isTrue
      }
      if isKept { kept.append(item) }
    }
    return kept
  }

  // MARK: Assignments

  func assign(_ target: Target, _ value: Value) throws(Fault) {
    switch target {
    case .name(let symbol): scope.set(symbol, to: value)
    case .attribute(let symbol, let name, let position):
      self.position = position
      guard case .namespace(let namespace) = lookUp(symbol) else {
        throw Fault(.runtime, "cannot assign attribute on non-namespace object")
      }
      try budget.take(steps: namespace.attributes.count)
      try budget.check(depth: value.depth + 1)
      namespace.set(Text(name), to: value)
    case .tuple(let targets, let position):
      self.position = position
      try assign(targets, value)
    }
  }

  private func assign(_ targets: [Target], _ value: Value) throws(Fault) {
    if !value.isIterable { throw Fault(.type, "cannot unpack non-iterable \(value.typeName) object") }
    let elements = try elements(of: value)
    guard elements.count <= targets.count else { throw Fault(.value, "too many values to unpack (expected \(targets.count))") }
    guard elements.count == targets.count else {
      throw Fault(.value, "not enough values to unpack (expected \(targets.count), got \(elements.count))")
    }
    for (target, element) in zip(targets, elements) { try assign(target, element) }
  }

  private func assignBlock(
    _ target: Target, _ filters: [Postfix], _ body: ScopedBody, _ position: TemplatePosition
  ) throws(Fault) -> Flow {
    var flow = Flow.next
    let text = try captureInScope(body, &flow)
    guard flow == .next else { return flow }
    try assign(target, apply(filters, to: .string(text)))
    return .next
  }

  private func captureInScope(_ body: ScopedBody, _ flow: inout Flow) throws(Fault) -> Text {
    var result = Flow.next
    let text = try capture { () throws(Fault) in
      result = try execute(body)
    }
    flow = result
    return text
  }

  private func filter(_ filters: [Postfix], _ body: ScopedBody) throws(Fault) -> Flow {
    var flow = Flow.next
    let text = try captureInScope(body, &flow)
    guard flow == .next else { return flow }
    let value = try apply(filters, to: .string(text))
    guard case .string(let filtered) = value else {
      throw Fault(.type, "sequence item: expected str instance, \(value.typeName) found")
    }
    try write(filtered.letters)
    return .next
  }

  private func with(
    _ assignments: [(target: Target, value: Expression)], _ body: ScopedBody, _ position: TemplatePosition
  ) throws(Fault) -> Flow {
    self.position = position
    // The values are evaluated outside the new scope, so one cannot use another.
    var values: [Value] = []
    for assignment in assignments { values.append(try evaluate(assignment.value)) }
    return try inScope(body.scope) { () throws(Fault) in
      for (assignment, value) in zip(assignments, values) { try assign(assignment.target, value) }
      return try execute(body.statements)
    }
  }

  // MARK: Macros

  private func define(_ definition: MacroDefinition) {
    guard let symbol = definition.symbol else { return }
    scope.set(symbol, to: .macro(Macro(definition, scope: scope)))
    holdScopeWithMacro()
  }

  private func call(_ callee: Expression, caller: MacroDefinition, _ position: TemplatePosition) throws(Fault) {
    guard case .postfix(let base, let operations) = callee, let last = operations.last,
      case .call(let arguments) = last.operation
    else { return }
    self.position = position
    let function = try apply(Array(operations.dropLast()), to: evaluate(base))
    var values = try evaluate(arguments)
    values.keywords.append(("caller", .macro(Macro(caller, scope: scope))))
    self.position = last.position
    let result = try call(function, values)
    try write(text(of: result).letters)
  }
}
