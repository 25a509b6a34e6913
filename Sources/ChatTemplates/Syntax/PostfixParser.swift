// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The parser of attributes, items, calls, filters and tests.
extension Parser {
  /// Parses `.name`, `[…]` or `(…)`; returns nil if there is none here.
  mutating func accessOrCall() throws(JinjaError) -> Postfix? {
    switch current.kind {
    case .dot: return try attribute()
    case .leftBracket: return try item()
    case .leftParenthesis: return try call()
    default: return nil
    }
  }

  /// Parses `| filter`, `is test` or `(…)`; returns nil if there is none here.
  mutating func filterTestOrCall() throws(JinjaError) -> Postfix? {
    switch current.kind {
    case .pipe:
      try advance()
      return try filter()
    case .name where current.name == "is": return try test()
    case .leftParenthesis: return try call()
    default: return nil
    }
  }

  private mutating func attribute() throws(JinjaError) -> Postfix {
    let position = try advance().position
    let token = try advance()
    switch token.kind {
    case .name: return Postfix(operation: .attribute(token.name), position: position)
    case .integer: return Postfix(operation: .item(.literal(.integer(token.integer))), position: position)
    default: throw error("expected name or number", at: token.position)
    }
  }

  private mutating func item() throws(JinjaError) -> Postfix {
    let position = try advance().position
    var operations: [Postfix.Operation] = []
    while current.kind != .rightBracket {
      if !operations.isEmpty { try expect(.comma) }
      operations.append(try subscripted())
    }
    try expect(.rightBracket)
    if operations.count == 1 { return Postfix(operation: operations[0], position: position) }
    var elements: [Expression] = []
    for operation in operations {
      guard case .item(let element) = operation else {
        throw JinjaError(kind: .unsupported, message: "a slice beside other items is not supported", position: position)
      }
      elements.append(element)
    }
    return Postfix(operation: .item(.tuple(elements)), position: position)
  }

  private mutating func subscripted() throws(JinjaError) -> Postfix.Operation {
    var parts: [Expression?] = []
    if current.kind == .colon {
      parts.append(nil)
    } else {
      let first = try expression()
      guard current.kind == .colon else { return .item(first) }
      parts.append(first)
    }
    while parts.count < 3, try take(.colon) {
      let isAbsent = current.kind == .colon || current.kind == .rightBracket || current.kind == .comma
      parts.append(isAbsent ? nil : try expression())
    }
    parts += [nil, nil]
    return .slice(parts[0], parts[1], parts[2])
  }

  private mutating func call() throws(JinjaError) -> Postfix {
    let position = current.position
    return Postfix(operation: .call(try arguments()), position: position)
  }

  /// Parses a filter without the bar before it.
  mutating func filter() throws(JinjaError) -> Postfix {
    let position = current.position
    let name = try dottedName()
    check(filter: name, at: position)
    let arguments = current.kind == .leftParenthesis ? try arguments() : CallArguments()
    return Postfix(operation: .filter(name, arguments), position: position)
  }

  private mutating func test() throws(JinjaError) -> Postfix {
    let position = try advance().position
    let isNegated = try take(name: "not")
    let name = try dottedName()
    check(test: name, at: position)
    var arguments = CallArguments()
    switch current.kind {
    case .leftParenthesis: arguments = try self.arguments()
    case .name where ["else", "or", "and"].contains(current.name): break
    case .name where current.name == "is": throw error("You cannot chain multiple tests with is")
    case .name, .string, .integer, .float, .leftBracket, .leftBrace: arguments.positional = [try testArgument()]
    default: break
    }
    return Postfix(operation: .test(name, arguments, isNegated: isNegated), position: position)
  }

  /// Parses the argument of a test that is written without parentheses.
  private mutating func testArgument() throws(JinjaError) -> Expression {
    try enter()
    defer { leave() }
    let value = try primary()
    var operations: [Postfix] = []
    while let operation = try accessOrCall() { operations.append(operation) }
    return operations.isEmpty ? value : .postfix(value, operations)
  }

  private mutating func dottedName() throws(JinjaError) -> String {
    var name = try expect(.name).name
    while try take(.dot) { name += "." + (try expect(.name).name) }
    return name
  }

  private mutating func arguments() throws(JinjaError) -> CallArguments {
    let position = try expect(.leftParenthesis).position
    var arguments = CallArguments()
    var isFirst = true
    while current.kind != .rightParenthesis {
      if !isFirst {
        try expect(.comma)
        if current.kind == .rightParenthesis { break }
      }
      isFirst = false
      let isPositional = arguments.unpackedList == nil && arguments.unpackedDictionary == nil
      if try take(.multiply) {
        try require(isPositional, position)
        arguments.unpackedList = try expression()
      } else if try take(.power) {
        try require(arguments.unpackedDictionary == nil, position)
        arguments.unpackedDictionary = try expression()
      } else if current.kind == .name, try peek().kind == .assign {
        try require(arguments.unpackedDictionary == nil, position)
        let name = try advance().name
        try advance()
        arguments.keywords.append((name, try expression()))
      } else {
        try require(isPositional && arguments.keywords.isEmpty, position)
        arguments.positional.append(try expression())
      }
    }
    try expect(.rightParenthesis)
    return arguments
  }

  private func require(_ isValid: Bool, _ position: TemplatePosition) throws(JinjaError) {
    guard isValid else { throw error("invalid syntax for function call expression", at: position) }
  }
}
