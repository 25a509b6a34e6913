// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A statement of the template language.
indirect enum Statement: Sendable {
  /// The template's own text.
  case text(Text)
  case output(Expression, TemplatePosition)
  case assignment(Target, Expression, TemplatePosition)
  /// `{% set name | filters %}…{% endset %}`.
  case blockAssignment(Target, filters: [Postfix], body: [Statement], TemplatePosition)
  case condition([(test: Expression, body: [Statement])], otherwise: [Statement])
  case loop(Loop)
  case macro(MacroDefinition)
  /// `{% call(parameters) macro() %}…{% endcall %}`; the caller is a macro without a name.
  case call(Expression, caller: MacroDefinition, TemplatePosition)
  /// `{% filter name %}…{% endfilter %}`.
  case filter([Postfix], body: [Statement])
  /// `{% with name = value %}…{% endwith %}`.
  case with([(target: Target, value: Expression)], body: [Statement], TemplatePosition)
  /// Statements with a scope of their own: `generation` and `block`.
  case scope([Statement])
  /// What needs other templates: it fails when it runs, for there are none.
  case otherTemplate(TemplatePosition)
  case breakLoop
  case continueLoop

  struct Loop: Sendable {
    let target: Target
    let sequence: Expression
    let condition: Expression?
    let isRecursive: Bool
    let body: [Statement]
    let otherwise: [Statement]
    let position: TemplatePosition
  }
}

/// What is assigned to.
indirect enum Target: Sendable {
  case name(Symbol)
  /// `namespace.attribute`.
  case attribute(Symbol, String, TemplatePosition)
  case tuple([Target], TemplatePosition)
}

struct MacroDefinition: Sendable {
  struct Parameter: Sendable {
    let name: String
    let symbol: Symbol
    let standard: Expression?
  }

  /// Empty for the body of a call block.
  let name: String
  let symbol: Symbol?
  let parameters: [Parameter]
  let body: [Statement]
  /// Whether the body asks for the arguments that no parameter takes, and for the caller.
  let usesPositional: Bool
  let usesKeywords: Bool
  let usesCaller: Bool
}

/// A template that has been read.
struct Program: Sendable {
  let body: [Statement]
  /// The names that symbols stand for.
  let names: [String]
  /// Names that the template sets at its top level before it reads them: they hide variables of the same name from the start,
  /// in macros and loops, too.
  let hiddenNames: [Symbol]
}
