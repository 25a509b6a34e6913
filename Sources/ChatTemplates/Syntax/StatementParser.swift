// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The parser of statements.
extension Parser {
  /// Parses statements up to one of the tags `ends`, which becomes the current token, or to the end of the template.
  mutating func statements(until ends: [String]) throws(JinjaError) -> [Statement] {
    try enter()
    defer { leave() }
    if !ends.isEmpty { awaitedTags.append(ends) }
    defer { if !ends.isEmpty { awaitedTags.removeLast() } }
    var body: [Statement] = []
    while true {
      switch current.kind {
      case .data: body.append(.text(Text(try advance().text)))
      case .variableBegin:
        let position = try advance().position
        body.append(.output(try tuple(), position))
        try expect(.variableEnd)
      case .blockBegin:
        try advance()
        if ends.contains(where: { current.isName($0) }) { return body }
        body += try statement()
        try expect(.blockEnd)
      default: return body
      }
    }
  }

  /// Parses the statements after the rest of a tag, up to one of the tags `ends`, which becomes the current token.
  private mutating func body(until ends: [String]) throws(JinjaError) -> [Statement] {
    _ = try take(.colon)
    try expect(.blockEnd)
    let body = try statements(until: ends)
    if current.kind == .end { throw unclosed(found: nil, awaited: awaitedTags + [ends], at: current.position) }
    return body
  }

  /// Does the same, and also consumes the end tag.
  private mutating func wholeBody(until end: String) throws(JinjaError) -> [Statement] {
    let body = try body(until: [end])
    try advance()
    return body
  }

  /// Does the same in a new scope.
  private mutating func scopedBody(until end: String, declaring targets: [Target] = []) throws(JinjaError) -> ScopedBody {
    let (statements, scope) = try inScope { (parser) throws(JinjaError) in
      for target in targets { parser.note(declared: target) }
      return try parser.wholeBody(until: end)
    }
    return ScopedBody(statements: statements, scope: scope)
  }

  private mutating func statement() throws(JinjaError) -> [Statement] {
    let token = current
    guard token.kind == .name else { throw error("tag name expected") }
    openTags.append(token.name)
    switch token.name {
    case "for", "if", "macro", "set", "with", "call", "filter", "generation", "block", "print", "break", "continue", "extends",
      "include", "import", "from", "autoescape":
      let statement = try knownStatement(token)
      openTags.removeLast()
      return statement
    default:
      openTags.removeLast()
      throw unclosed(found: token.name, awaited: awaitedTags, at: token.position)
    }
  }

  private mutating func knownStatement(_ tag: Token) throws(JinjaError) -> [Statement] {
    switch tag.name {
    case "for": return [try loop()]
    case "if": return [try condition()]
    case "macro": return [try macro()]
    case "set": return [try assignment()]
    case "with": return [try with()]
    case "call": return [try call()]
    case "filter": return [try filterBlock()]
    case "block": return [try block()]
    case "print": return try print()
    case "break", "continue":
      try advance()
      guard loopDepth > 0 else { throw error("'\(tag.name)' outside loop", at: tag.position) }
      return [tag.name == "break" ? .breakLoop : .continueLoop]
    case "generation":
      try advance()
      // Its body is a function in Jinja2, so it cannot leave a surrounding loop.
      return [.scope(try functionBody { (parser) throws(JinjaError) in try parser.scopedBody(until: "endgeneration") }.body)]
    case "autoescape":
      throw JinjaError(kind: .unsupported, message: "the tag 'autoescape' is not supported", position: tag.position)
    default: return [try otherTemplate()]
    }
  }

  private func unclosed(found: String?, awaited: [[String]], at position: TemplatePosition) -> JinjaError {
    var message = found.map { "Encountered unknown tag '\($0)'." } ?? "Unexpected end of template."
    if let innermost = awaited.last {
      let list = innermost.map { "'\($0)'" }.joined(separator: " or ")
      if let found, awaited.contains(where: { $0.contains(found) }) {
        message +=
          " You probably made a nesting mistake. Jinja is expecting this tag, but currently looking for \(list)."
      } else {
        message += " Jinja was looking for the following tags: \(list)."
      }
    }
    if let tag = openTags.last { message += " The innermost block that needs to be closed is '\(tag)'." }
    return error(message, at: position)
  }

  // MARK: Tags

  private mutating func condition() throws(JinjaError) -> Statement {
    let wasConditional = isConditional
    isConditional = true
    defer { isConditional = wasConditional }
    try advance()
    var branches: [(test: Expression, body: [Statement])] = []
    while true {
      let test = try tuple(withConditional: false)
      let body = try inCondition { (parser) throws(JinjaError) in try parser.body(until: ["elif", "else", "endif"]) }
      branches.append((test, body))
      let end = try advance()
      if end.isName("elif") { continue }
      guard end.isName("else") else { return .condition(branches, otherwise: []) }
      let otherwise = try inCondition { (parser) throws(JinjaError) in try parser.wholeBody(until: "endif") }
      return .condition(branches, otherwise: otherwise)
    }
  }

  private mutating func loop() throws(JinjaError) -> Statement {
    let position = try advance().position
    let target = try target(endingAt: "in")
    if case .name(let symbol) = target, symbol == self.symbol("loop") {
      throw error("Can't assign to special loop variable in for-loop target", at: position)
    }
    try expect(name: "in")
    let sequence = try tuple(withConditional: false, endingAt: "recursive")
    let (condition, conditionScope) = try inScope { (parser) throws(JinjaError) in
      parser.note(declared: target)
      return try parser.take(name: "if") ? try parser.expression() : nil
    }
    let isRecursive = try take(name: "recursive")
    loopDepth += 1
    let (body, bodyScope) = try inScope { (parser) throws(JinjaError) in
      parser.note(declared: .tuple([target, .name(parser.symbol("loop"))], position))
      return try parser.body(until: ["endfor", "else"])
    }
    loopDepth -= 1
    let hasOtherwise = try advance().isName("else")
    let (otherwise, otherwiseScope) = try inScope { (parser) throws(JinjaError) in
      hasOtherwise ? try parser.wholeBody(until: "endfor") : []
    }
    return .loop(
      Statement.Loop(
        target: target, sequence: sequence, condition: condition, conditionScope: conditionScope, isRecursive: isRecursive,
        body: ScopedBody(statements: body, scope: bodyScope),
        otherwise: ScopedBody(statements: otherwise, scope: otherwiseScope), position: position))
  }

  private mutating func assignment() throws(JinjaError) -> Statement {
    let position = try advance().position
    let target = try target(withNamespace: true)
    if try take(.assign) {
      let value = try tuple()
      note(set: target)
      return .assignment(target, value, position)
    }
    note(set: target)
    var filters: [Postfix] = []
    while current.kind == .pipe {
      try advance()
      filters.append(try filter())
    }
    return .blockAssignment(target, filters: filters, body: try scopedBody(until: "endset"), position)
  }

  private mutating func with() throws(JinjaError) -> Statement {
    let position = try advance().position
    var assignments: [(target: Target, value: Expression)] = []
    while current.kind != .blockEnd {
      if !assignments.isEmpty { try expect(.comma) }
      let target = try target()
      try expect(.assign)
      assignments.append((target, try expression()))
    }
    return .with(assignments, body: try scopedBody(until: "endwith", declaring: assignments.map(\.target)), position)
  }

  private mutating func filterBlock() throws(JinjaError) -> Statement {
    try advance()
    var filters = [try filter()]
    while try take(.pipe) { filters.append(try filter()) }
    return .filter(filters, body: try scopedBody(until: "endfilter"))
  }

  private mutating func block() throws(JinjaError) -> Statement {
    try advance()
    let name = try expect(.name).name
    _ = try take(name: "scoped")
    _ = try take(name: "required")
    if current.kind == .subtract {
      throw error(
        "Block names in Jinja have to be valid Python identifiers and may not contain hyphens, use an underscore instead.")
    }
    let body = try functionBody { (parser) throws(JinjaError) in try parser.scopedBody(until: "endblock") }.body
    _ = try take(name: name)
    return .scope(body)
  }

  private mutating func print() throws(JinjaError) -> [Statement] {
    let position = try advance().position
    var outputs: [Statement] = []
    while current.kind != .blockEnd {
      if !outputs.isEmpty { try expect(.comma) }
      outputs.append(.output(try expression(), position))
    }
    return outputs
  }

  /// Parses `extends`, `include`, `import` or `from`. The statement is an error only when it runs.
  private mutating func otherTemplate() throws(JinjaError) -> Statement {
    let tag = try advance()
    _ = try expression()
    switch tag.name {
    case "import":
      try expect(name: "as")
      note(set: symbol(try expect(.name).name))
    case "from":
      try expect(name: "import")
      repeat {
        let name = try expect(.name).name
        note(set: symbol(try take(name: "as") ? try expect(.name).name : name))
      } while try take(.comma)
    default: break
    }
    while current.kind == .name { try advance() }
    return .otherTemplate(tag.position)
  }

  // MARK: Macros

  private mutating func macro() throws(JinjaError) -> Statement {
    try advance()
    let token = try expect(.name)
    try checkAssignable(token)
    let symbol = symbol(token.name)
    note(set: symbol)
    return .macro(
      try macro(named: token.name, symbol, until: "endmacro") { (parser) throws(JinjaError) in
        try parser.parameters()
      })
  }

  private mutating func call() throws(JinjaError) -> Statement {
    let position = try advance().position
    // The parameters come before the callee, but the callee is outside the scope of the call block.
    var parameters: [MacroDefinition.Parameter] = []
    if current.kind == .leftParenthesis { parameters = try self.parameters() }
    let callee = try expression()
    let caller = try macro(named: "", nil, until: "endcall") { _ in parameters }
    guard case .postfix(_, let operations) = callee, case .call = operations.last?.operation else {
      throw error("expected call", at: position)
    }
    return .call(callee, caller: caller, position)
  }

  private mutating func macro(
    named name: String, _ symbol: Symbol?, until end: String,
    parameters: (inout Parser) throws(JinjaError) -> [MacroDefinition.Parameter]
  ) throws(JinjaError) -> MacroDefinition {
    let ((body, uses), scope) = try inScope { (parser) throws(JinjaError) in
      try parser.functionBody { (parser) throws(JinjaError) in
        let read = try parameters(&parser)
        for parameter in read { parser.note(declared: .name(parameter.symbol)) }
        return (read, try parser.wholeBody(until: end))
      }
    }
    for name in ["varargs", "kwargs"] where body.0.contains(where: { $0.name == name }) {
      throw error("the parameter '\(name)' of a macro is not supported")
    }
    return MacroDefinition(
      name: name, symbol: symbol, parameters: body.0, body: ScopedBody(statements: body.1, scope: scope),
      usesPositional: uses.contains("varargs"), usesKeywords: uses.contains("kwargs"), usesCaller: uses.contains("caller"))
  }

  /// Parses the body of something that is a function in Jinja2, and returns which names it reads, including special ones.
  private mutating func functionBody<Body>(
    _ read: (inout Parser) throws(JinjaError) -> Body
  ) throws(JinjaError) -> (body: Body, uses: Set<String>) {
    let loopsAround = loopDepth
    loopDepth = 0
    macroUses.append([])
    let body = try read(&self)
    loopDepth = loopsAround
    return (body, macroUses.removeLast())
  }

  private mutating func parameters() throws(JinjaError) -> [MacroDefinition.Parameter] {
    try expect(.leftParenthesis)
    var parameters: [MacroDefinition.Parameter] = []
    while current.kind != .rightParenthesis {
      if !parameters.isEmpty { try expect(.comma) }
      let token = try expect(.name)
      try checkAssignable(token)
      let standard = try take(.assign) ? try expression() : nil
      if standard == nil, parameters.last?.standard != nil { throw error("non-default argument follows default argument") }
      parameters.append(.init(name: token.name, symbol: symbol(token.name), standard: standard))
    }
    try expect(.rightParenthesis)
    return parameters
  }

  // MARK: Targets

  private func checkAssignable(_ token: Token) throws(JinjaError) {
    guard !Self.constants.keys.contains(token.name) else {
      throw error("can't assign to 'const'", at: token.position)
    }
  }

  private mutating func target(endingAt end: String? = nil, withNamespace: Bool = false) throws(JinjaError) -> Target {
    let position = current.position
    var targets: [Target] = []
    var isTuple = false
    while true {
      if !targets.isEmpty { try expect(.comma) }
      if isEndOfTuple(end) { break }
      targets.append(try singleTarget(withNamespace: withNamespace))
      guard current.kind == .comma else { break }
      isTuple = true
    }
    if isTuple { return .tuple(targets, position) }
    guard let target = targets.first else { throw error("Expected an expression, got '\(current.description)'") }
    return target
  }

  private mutating func singleTarget(withNamespace: Bool) throws(JinjaError) -> Target {
    try enter()
    defer { leave() }
    let token = current
    switch token.kind {
    case .name:
      try advance()
      if withNamespace, !Self.constants.keys.contains(token.name), try take(.dot) {
        return .attribute(read(token.name), try expect(.name).name, token.position)
      }
      try checkAssignable(token)
      return .name(symbol(token.name))
    case .leftParenthesis:
      try advance()
      let target = try target()
      try expect(.rightParenthesis)
      return target
    case .string, .integer, .float: throw error("can't assign to 'const'")
    case .leftBracket: throw error("can't assign to 'list'")
    case .leftBrace: throw error("can't assign to 'dict'")
    default: throw error("unexpected '\(token.description)'")
    }
  }
}
