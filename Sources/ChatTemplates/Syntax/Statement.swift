// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A statement of the template language.
indirect enum Statement: Sendable {
  /// The template's own text.
  case text(Text)
  case output(Expression, TemplatePosition)
  case assignment(Target, Expression, TemplatePosition)
  /// `{% set name | filters %}…{% endset %}`.
  case blockAssignment(Target, filters: [Postfix], body: ScopedBody, TemplatePosition)
  case condition([(test: Expression, body: [Statement])], otherwise: [Statement])
  case loop(Loop)
  case macro(MacroDefinition)
  /// `{% call(parameters) macro() %}…{% endcall %}`; the caller is a macro without a name.
  case call(Expression, caller: MacroDefinition, TemplatePosition)
  /// `{% filter name %}…{% endfilter %}`.
  case filter([Postfix], body: ScopedBody)
  /// `{% with name = value %}…{% endwith %}`.
  case with([(target: Target, value: Expression)], body: ScopedBody, TemplatePosition)
  /// Statements with their own scope: `generation` and `block`.
  case scope(ScopedBody)
  /// A statement that needs another template. It fails when it runs, because there are no others.
  case otherTemplate(TemplatePosition)
  case breakLoop
  case continueLoop

  /// The parts of a `for` loop.
  struct Loop: Sendable {
    let target: Target
    let sequence: Expression
    let condition: Expression?
    let conditionScope: ScopeNumber
    let isRecursive: Bool
    let body: ScopedBody
    let otherwise: ScopedBody
    let position: TemplatePosition
  }
}

/// The index of a scope in `Program.hiddenNames`.
typealias ScopeNumber = Int

/// Statements with their own scope.
struct ScopedBody: Sendable {
  let statements: [Statement]
  let scope: ScopeNumber
}

/// The target of an assignment.
indirect enum Target: Sendable {
  case name(Symbol)
  /// `namespace.attribute`.
  case attribute(Symbol, String, TemplatePosition)
  case tuple([Target], TemplatePosition)
}

/// The definition of a macro, or of the body of a call block.
struct MacroDefinition: Sendable {
  struct Parameter: Sendable {
    let name: String
    let symbol: Symbol
    /// The default value; nil if the parameter must be given.
    let standard: Expression?
  }

  /// The name; empty for the body of a call block.
  let name: String
  let symbol: Symbol?
  let parameters: [Parameter]
  let body: ScopedBody
  /// Whether the body uses the arguments without a parameter (`varargs`, `kwargs`), and the caller.
  let usesPositional: Bool
  let usesKeywords: Bool
  let usesCaller: Bool
}

/// A parsed template.
struct Program: Sendable {
  let body: [Statement]
  /// The names of symbols.
  let names: [String]
  /// For each scope, the names that it sets before it reads them. From its beginning they hide variables of the same name from the
  /// loops and macros in it. The first scope is the template's own.
  let hiddenNames: [[Symbol]]
}
