// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The index of a name in a template's table of names.
typealias Symbol = Int

/// An expression of the template language.
///
/// Consecutive operators of one precedence are a single node, and so is a whole chain of attributes, calls, filters and tests. So
/// nodes nest only as deeply as brackets do, and the parser limits that depth.
indirect enum Expression: Sendable {
  case literal(Literal)
  case name(Symbol, TemplatePosition)
  case list([Expression])
  case tuple([Expression])
  case dictionary([(key: Expression, value: Expression)], TemplatePosition)
  /// Arithmetic from left to right.
  case arithmetic(Expression, [(operation: Arithmetic, operand: Expression, position: TemplatePosition)])
  /// Texts joined by `~`.
  case concatenation([Expression], TemplatePosition)
  /// `a < b <= c`.
  case comparison(Expression, [(operation: Comparison, operand: Expression, position: TemplatePosition)])
  case and([Expression])
  case or([Expression])
  case not(Expression)
  case negative(Expression, TemplatePosition)
  case positive(Expression, TemplatePosition)
  /// `then if test else otherwise`; undefined if the test fails and there is no `else`.
  case conditional(test: Expression, then: Expression, otherwise: Expression?)
  case postfix(Expression, [Postfix])

  /// A literal value.
  enum Literal: Sendable {
    case none
    case bool(Bool)
    case integer(Int128)
    case float(Double)
    case string(Text)
  }

  enum Arithmetic: String {
    case add = "+"
    case subtract = "-"
    case multiply = "*"
    case divide = "/"
    case floorDivide = "//"
    case modulo = "%"
    case power = "**"
  }

  enum Comparison: String {
    case equal = "=="
    case notEqual = "!="
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="
    case isIn
    case isNotIn
  }
}

/// An operation that follows an expression and applies to it.
struct Postfix: Sendable {
  enum Operation: Sendable {
    case attribute(String)
    case item(Expression)
    case slice(Expression?, Expression?, Expression?)
    case call(CallArguments)
    case filter(String, CallArguments)
    case test(String, CallArguments, isNegated: Bool)
  }

  let operation: Operation
  let position: TemplatePosition
}

/// The arguments of a call, as written in the template.
struct CallArguments: Sendable {
  var positional: [Expression] = []
  var keywords: [(name: String, value: Expression)] = []
  /// `*list`.
  var unpackedList: Expression?
  /// `**dictionary`.
  var unpackedDictionary: Expression?
}
