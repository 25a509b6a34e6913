// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The parser of expressions, with one function for each precedence: conditional, or, and, not, comparison, sum, `~`, product,
/// power, sign, and what follows a value.
extension Parser {
  static let constants: [String: Expression.Literal] = [
    "true": .bool(true), "True": .bool(true), "false": .bool(false), "False": .bool(false), "none": .none, "None": .none,
  ]

  func isEndOfTuple(_ end: String? = nil) -> Bool {
    switch current.kind {
    case .variableEnd, .blockEnd, .rightParenthesis: true
    default: end.map { current.isName($0) } ?? false
    }
  }

  /// Parses an expression, or several separated by commas, which are a tuple.
  mutating func tuple(
    withConditional: Bool = true, endingAt end: String? = nil, isInParentheses: Bool = false
  ) throws(JinjaError) -> Expression {
    var elements: [Expression] = []
    var isTuple = false
    while true {
      if !elements.isEmpty { try expect(.comma) }
      if isEndOfTuple(end) { break }
      elements.append(withConditional ? try expression() : try or())
      guard current.kind == .comma else { break }
      isTuple = true
    }
    if !isTuple {
      if let only = elements.first { return only }
      guard isInParentheses else { throw error("Expected an expression, got '\(current.description)'") }
    }
    return .tuple(elements)
  }

  mutating func expression() throws(JinjaError) -> Expression {
    try enter()
    defer { leave() }
    let wasConditional = isConditional
    defer { isConditional = wasConditional }
    let unknownBefore = unknownName
    var expression = try or()
    guard current.isName("if") else { return expression }
    // Only here is it known that the value before `if` is conditional, so that an unknown filter in it is not an error yet.
    unknownName = unknownBefore
    isConditional = true
    var entered = 0
    while try take(name: "if") {
      entered += 1
      try enter()
      let test = try or()
      let otherwise = try take(name: "else") ? try self.expression() : nil
      expression = .conditional(test: test, then: expression, otherwise: otherwise)
    }
    for _ in 0..<entered { leave() }
    return expression
  }

  mutating func or() throws(JinjaError) -> Expression {
    var operands = [try and()]
    while try take(name: "or") { operands.append(try and()) }
    return operands.count == 1 ? operands[0] : .or(operands)
  }

  private mutating func and() throws(JinjaError) -> Expression {
    var operands = [try not()]
    while try take(name: "and") { operands.append(try not()) }
    return operands.count == 1 ? operands[0] : .and(operands)
  }

  private mutating func not() throws(JinjaError) -> Expression {
    guard try take(name: "not") else { return try comparison() }
    try enter()
    defer { leave() }
    return .not(try not())
  }

  private mutating func comparison() throws(JinjaError) -> Expression {
    let first = try sum()
    var rest: [(operation: Expression.Comparison, operand: Expression, position: TemplatePosition)] = []
    while true {
      let position = current.position
      if let operation = Expression.Comparison(rawValue: current.kind.rawValue) {
        try advance()
        rest.append((operation, try sum(), position))
      } else if try take(name: "in") {
        rest.append((.isIn, try sum(), position))
      } else if current.isName("not"), try peek().isName("in") {
        try advance()
        try advance()
        rest.append((.isNotIn, try sum(), position))
      } else {
        return rest.isEmpty ? first : .comparison(first, rest)
      }
    }
  }

  private mutating func sum() throws(JinjaError) -> Expression {
    try arithmetic([.add, .subtract]) { (parser) throws(JinjaError) in try parser.concatenation() }
  }

  private mutating func concatenation() throws(JinjaError) -> Expression {
    let first = try product()
    guard current.kind == .tilde else { return first }
    let position = current.position
    var operands = [first]
    while try take(.tilde) { operands.append(try product()) }
    return .concatenation(operands, position)
  }

  private mutating func product() throws(JinjaError) -> Expression {
    try arithmetic([.multiply, .divide, .floorDivide, .modulo]) { (parser) throws(JinjaError) in try parser.power() }
  }

  private mutating func power() throws(JinjaError) -> Expression {
    try arithmetic([.power]) { (parser) throws(JinjaError) in try parser.signed() }
  }

  private mutating func arithmetic(
    _ operations: [Expression.Arithmetic], _ operand: (inout Parser) throws(JinjaError) -> Expression
  ) throws(JinjaError) -> Expression {
    let first = try operand(&self)
    var rest: [(operation: Expression.Arithmetic, operand: Expression, position: TemplatePosition)] = []
    while let operation = Expression.Arithmetic(rawValue: current.kind.rawValue), operations.contains(operation) {
      let position = try advance().position
      rest.append((operation, try operand(&self), position))
    }
    return rest.isEmpty ? first : .arithmetic(first, rest)
  }

  private mutating func signed(withFilters: Bool = true) throws(JinjaError) -> Expression {
    let position = current.position
    var node: Expression
    switch current.kind {
    case .subtract, .add:
      try enter()
      defer { leave() }
      let isNegative = try advance().kind == .subtract
      let operand = try signed(withFilters: false)
      node = isNegative ? .negative(operand, position) : .positive(operand, position)
    default: node = try primary()
    }
    var operations: [Postfix] = []
    while let operation = try accessOrCall() { operations.append(operation) }
    while withFilters, let operation = try filterTestOrCall() { operations.append(operation) }
    return operations.isEmpty ? node : .postfix(node, operations)
  }

  mutating func primary() throws(JinjaError) -> Expression {
    let token = current
    switch token.kind {
    case .name:
      try advance()
      if let constant = Self.constants[token.name] { return .literal(constant) }
      return .name(read(token.name), token.position)
    case .string:
      var letters: [Letter] = []
      while current.kind == .string { letters += try advance().text }
      return .literal(.string(Text(letters)))
    case .integer: return .literal(.integer(try advance().integer))
    case .float: return .literal(.float(try advance().float))
    case .leftParenthesis:
      try advance()
      let inner = try tuple(isInParentheses: true)
      try expect(.rightParenthesis)
      return inner
    case .leftBracket: return try list()
    case .leftBrace: return try dictionary()
    default: throw error("unexpected '\(token.description)'")
    }
  }

  private mutating func list() throws(JinjaError) -> Expression {
    try advance()
    var elements: [Expression] = []
    while current.kind != .rightBracket {
      if !elements.isEmpty { try expect(.comma) }
      if current.kind == .rightBracket { break }
      elements.append(try expression())
    }
    try expect(.rightBracket)
    return .list(elements)
  }

  private mutating func dictionary() throws(JinjaError) -> Expression {
    let position = try advance().position
    var entries: [(key: Expression, value: Expression)] = []
    while current.kind != .rightBrace {
      if !entries.isEmpty { try expect(.comma) }
      if current.kind == .rightBrace { break }
      let key = try expression()
      try expect(.colon)
      entries.append((key, try expression()))
    }
    try expect(.rightBrace)
    return .dictionary(entries, position)
  }
}
