// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The evaluation of expressions.
extension Interpreter {
  func evaluate(_ expression: Expression) throws(Fault) -> Value {
    try budget.take(steps: 1)
    switch expression {
    case .literal(let literal): return value(of: literal)
    case .name(let symbol, let position):
      self.position = position
      return lookUp(symbol)
    default: break
    }
    try budget.enter()
    defer { budget.leave() }
    return try evaluateNested(expression)
  }

  private func value(of literal: Expression.Literal) -> Value {
    switch literal {
    case .none: .none
    case .bool(let bool): .bool(bool)
    case .integer(let integer): .integer(integer)
    case .float(let float): .float(float)
    case .string(let text): .string(text)
    }
  }

  private func evaluateNested(_ expression: Expression) throws(Fault) -> Value {
    switch expression {
    case .literal, .name: return try evaluate(expression)
    case .list(let elements): return try makeList(evaluate(elements))
    case .tuple(let elements): return try makeTuple(evaluate(elements))
    case .dictionary(let entries, let position): return try dictionary(entries, position)
    case .arithmetic(let first, let rest): return try arithmetic(first, rest)
    case .concatenation(let operands, let position): return try concatenation(operands, position)
    case .comparison(let first, let rest): return try comparison(first, rest)
    case .and(let operands): return try firstDecisive(operands, stopsAt: false)
    case .or(let operands): return try firstDecisive(operands, stopsAt: true)
    case .not(let operand): return .bool(try !evaluate(operand).isTrue)
    case .negative(let operand, let position):
      let value = try evaluate(operand)
      self.position = position
      return try value.negated()
    case .positive(let operand, let position):
      let value = try evaluate(operand)
      self.position = position
      return try value.posited()
    case .conditional(let test, let then, let otherwise):
      if try evaluate(test).isTrue { return try evaluate(then) }
      if let otherwise { return try evaluate(otherwise) }
      return .undefined(Undefined("the inline if-expression evaluated to false and no else section was defined."))
    case .postfix(let base, let operations): return try apply(operations, to: evaluate(base))
    }
  }

  private func evaluate(_ expressions: [Expression]) throws(Fault) -> [Value] {
    var values: [Value] = []
    values.reserveCapacity(expressions.count)
    for expression in expressions { values.append(try evaluate(expression)) }
    return values
  }

  private func dictionary(
    _ entries: [(key: Expression, value: Expression)], _ position: TemplatePosition
  ) throws(Fault) -> Value {
    var values: [(key: Value, value: Value)] = []
    for entry in entries { values.append((try evaluate(entry.key), try evaluate(entry.value))) }
    self.position = position
    return try makeDictionary(values)
  }

  /// Returns the first operand whose truth value is `truth`, or else the last operand.
  private func firstDecisive(_ operands: [Expression], stopsAt truth: Bool) throws(Fault) -> Value {
    var value = Value.none
    for operand in operands {
      value = try evaluate(operand)
      if value.isTrue == truth { break }
    }
    return value
  }

  private func comparison(
    _ first: Expression, _ rest: [(operation: Expression.Comparison, operand: Expression, position: TemplatePosition)]
  ) throws(Fault) -> Value {
    var left = try evaluate(first)
    for (operation, operand, position) in rest {
      let right = try evaluate(operand)
      self.position = position
      try payForComparing(left, right)
      guard try left.compare(operation, right) else { return .bool(false) }
      left = right
    }
    return .bool(true)
  }

  /// Counts what a comparison visits.
  func payForComparing(_ left: Value, _ right: Value) throws(Fault) {
    switch right {
    case .string(let text): try budget.take(steps: text.count >> 6)
    case .list, .tuple, .dictionary:
      // In a dictionary only a key is looked up; all other values are searched.
      if case .dictionary = right, left.depth == 0 { return }
      if case .list(let list) = right, left.depth == 0 { return try budget.take(steps: list.elements.count) }
      try measure(right)
    default: break
    }
  }

  private func concatenation(_ operands: [Expression], _ position: TemplatePosition) throws(Fault) -> Value {
    var letters: [Letter] = []
    for operand in operands {
      let text = try text(of: evaluate(operand))
      try budget.take(characters: text.count)
      letters += text.letters
    }
    return .string(Text(letters))
  }

  // MARK: Arithmetic

  private func arithmetic(
    _ first: Expression, _ rest: [(operation: Expression.Arithmetic, operand: Expression, position: TemplatePosition)]
  ) throws(Fault) -> Value {
    var value = try evaluate(first)
    for (operation, operand, position) in rest {
      let right = try evaluate(operand)
      self.position = position
      value = try calculate(operation, value, right)
    }
    return value
  }

  private func calculate(_ operation: Expression.Arithmetic, _ left: Value, _ right: Value) throws(Fault) -> Value {
    switch operation {
    case .add: return try add(left, right)
    case .multiply: return try multiply(left, right)
    case .modulo:
      if case .string(let format) = left { return try makeText(PercentFormat.format(format, right, self)) }
      return try left.calculate(operation, right)
    default: return try left.calculate(operation, right)
    }
  }

  func add(_ left: Value, _ right: Value) throws(Fault) -> Value {
    switch (left, right) {
    case (.string(let left), .string(let right)): return try makeText(left.added(right))
    case (_, .undefined(let undefined)): throw undefined.fault
    case (.string, _): throw Fault(.type, "can only concatenate str (not \"\(right.typeName)\") to str")
    case (.list(let left), .list(let right)): return try makeList(left.elements + right.elements)
    case (.list, _): throw Fault(.type, "can only concatenate list (not \"\(right.typeName)\") to list")
    case (.tuple(let left), .tuple(let right)): return try makeTuple(left.elements + right.elements)
    case (.tuple, _): throw Fault(.type, "can only concatenate tuple (not \"\(right.typeName)\") to tuple")
    default: return try left.calculate(.add, right)
    }
  }

  private func multiply(_ left: Value, _ right: Value) throws(Fault) -> Value {
    if left.asInteger != nil, right.asInteger == nil { return try multiply(right, left, isSwapped: true) }
    return try multiply(left, right, isSwapped: false)
  }

  private func multiply(_ left: Value, _ right: Value, isSwapped: Bool) throws(Fault) -> Value {
    let times = max(0, right.asIndex ?? 0)
    switch left {
    case .string(let text):
      guard right.asInteger != nil else { throw try cannotMultiply(right) }
      try budget.take(characters: size(text.count, times))
      return .string(text.repeated(text.isEmpty ? 0 : times).marked(text.isMarkup))
    case .list(let list):
      guard right.asInteger != nil else { throw try cannotMultiply(right) }
      return try makeList(repeated(list.elements, times))
    case .tuple(let tuple):
      guard right.asInteger != nil else { throw try cannotMultiply(right) }
      return try makeTuple(repeated(tuple.elements, times))
    default: return isSwapped ? try right.calculate(.multiply, left) : try left.calculate(.multiply, right)
    }
  }

  private func cannotMultiply(_ right: Value) throws(Fault) -> Fault {
    if case .undefined(let undefined) = right { throw undefined.fault }
    return Fault(.type, "can't multiply sequence by non-int of type '\(right.typeName)'")
  }

  private func size(_ count: Int, _ times: Int) -> Int {
    let product = count.multipliedReportingOverflow(by: times)
    return product.overflow ? .max : product.partialValue
  }

  private func repeated(_ elements: [Value], _ times: Int) throws(Fault) -> [Value] {
    try budget.take(steps: size(elements.count, times))
    guard !elements.isEmpty else { return [] }
    var result: [Value] = []
    for _ in 0..<times { result += elements }
    return result
  }
}
