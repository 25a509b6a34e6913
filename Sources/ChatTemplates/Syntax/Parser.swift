// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Parses a template by recursive descent over its tokens, with a limit on the recursion.
struct Parser {
  private var lexer: Lexer
  private(set) var current: Token
  private var following: Token?
  let limits: JinjaLimits

  private var depth = 0
  private var symbols: [String: Symbol] = [:]
  private var names: [String] = []

  /// The open tags, innermost last, and the end tags that each of them allows.
  var openTags: [String] = []
  var awaitedTags: [[String]] = []

  /// Whether an unknown filter is an error only when it is reached, as in the branches of a condition.
  var isConditional = false
  /// The error of the first unknown filter or test outside conditions. Syntax errors take precedence, wherever they are.
  var unknownName: JinjaError?

  /// The number of loops around this place, within the innermost macro.
  var loopDepth = 0
  /// The names that each macro around this place reads, including special ones.
  var macroUses: [Set<String>] = []

  private var scopes = ScopeAnalysis()

  init(_ template: String, limits: JinjaLimits) throws(JinjaError) {
    guard template.utf8.count <= limits.templateSize * 4, template.unicodeScalars.count <= limits.templateSize else {
      throw JinjaError(
        kind: .limit, message: "the template has more than \(limits.templateSize) characters", position: .start)
    }
    self.limits = limits
    lexer = Lexer(template)
    current = try lexer.next()
  }

  mutating func program() throws(JinjaError) -> Program {
    let body = try statements(until: [])
    if let unknownName { throw unknownName }
    return Program(body: body, names: names, hiddenNames: scopes.hiddenNames)
  }

  // MARK: Tokens

  @discardableResult
  mutating func advance() throws(JinjaError) -> Token {
    let token = current
    if let following {
      current = following
      self.following = nil
    } else {
      current = try lexer.next()
    }
    return token
  }

  /// Returns the token after the current one.
  mutating func peek() throws(JinjaError) -> Token {
    if let following { return following }
    let token = try lexer.next()
    following = token
    return token
  }

  mutating func take(_ kind: Token.Kind) throws(JinjaError) -> Bool {
    guard current.kind == kind else { return false }
    try advance()
    return true
  }

  mutating func take(name: String) throws(JinjaError) -> Bool {
    guard current.isName(name) else { return false }
    try advance()
    return true
  }

  @discardableResult
  mutating func expect(_ kind: Token.Kind) throws(JinjaError) -> Token {
    guard current.kind == kind else { throw unexpected(kind.rawValue) }
    return try advance()
  }

  @discardableResult
  mutating func expect(name: String) throws(JinjaError) -> Token {
    guard current.isName(name) else { throw unexpected(name) }
    return try advance()
  }

  private func unexpected(_ expected: String) -> JinjaError {
    if current.kind == .end { return error("unexpected end of template, expected '\(expected)'.") }
    return error("expected token '\(expected)', got '\(current.description)'")
  }

  func error(_ message: String, at position: TemplatePosition? = nil) -> JinjaError {
    JinjaError(kind: .syntax, message: message, position: position ?? current.position)
  }

  // MARK: Bounds

  /// Enters a level of nesting; `leave` leaves it.
  mutating func enter() throws(JinjaError) {
    depth += 1
    guard depth <= limits.syntaxDepth else {
      throw JinjaError(kind: .limit, message: "nested more than \(limits.syntaxDepth) levels deep", position: current.position)
    }
  }

  mutating func leave() { depth -= 1 }

  // MARK: Names

  mutating func symbol(_ name: String) -> Symbol {
    if let symbol = symbols[name] { return symbol }
    let symbol = names.count
    symbols[name] = symbol
    names.append(name)
    return symbol
  }

  mutating func read(_ name: String) -> Symbol {
    let symbol = symbol(name)
    for index in macroUses.indices { macroUses[index].insert(name) }
    scopes.note(read: symbol)
    return symbol
  }

  /// Notes that a statement sets a name.
  mutating func note(set symbol: Symbol) { scopes.note(set: symbol) }

  /// Notes that a scope begins with a name, such as a parameter or the target of a loop.
  mutating func note(declared target: Target) {
    switch target {
    case .name(let symbol): scopes.note(read: symbol)
    case .tuple(let targets, _): for target in targets { note(declared: target) }
    case .attribute: break
    }
  }

  /// Parses something that has its own scope.
  mutating func inScope<Result>(
    _ read: (inout Parser) throws(JinjaError) -> Result
  ) throws(JinjaError) -> (result: Result, scope: ScopeNumber) {
    let wasConditional = isConditional
    isConditional = false
    let scope = scopes.enter()
    let result = try read(&self)
    scopes.leave()
    isConditional = wasConditional
    return (result, scope)
  }

  /// Parses something that runs only under a condition.
  mutating func inCondition<Result>(
    _ read: (inout Parser) throws(JinjaError) -> Result
  ) throws(JinjaError) -> Result {
    scopes.enterCondition()
    let result = try read(&self)
    scopes.leaveCondition()
    return result
  }

  mutating func note(set target: Target) {
    switch target {
    case .name(let symbol): note(set: symbol)
    case .tuple(let targets, _): for target in targets { note(set: target) }
    case .attribute: break
    }
  }

  mutating func check(filter name: String, at position: TemplatePosition) {
    if !isConditional && !Filters.names.contains(name) { noteUnknown("No filter named '\(name)'.", position) }
  }

  mutating func check(test name: String, at position: TemplatePosition) {
    if !isConditional && !Tests.names.contains(name) { noteUnknown("No test named '\(name)'.", position) }
  }

  private mutating func noteUnknown(_ message: String, _ position: TemplatePosition) {
    if unknownName == nil { unknownName = JinjaError(kind: .unknownName, message: message, position: position) }
  }
}
