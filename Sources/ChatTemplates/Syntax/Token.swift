// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A token of the template language.
struct Token {
  /// The kind of a token; the raw value is its name in messages.
  enum Kind: String {
    case data = "template data / text"
    case variableBegin = "begin of print statement"
    case variableEnd = "end of print statement"
    case blockBegin = "begin of statement block"
    case blockEnd = "end of statement block"
    case end = "end of template"
    case name
    case string
    case integer
    case float
    case add = "+"
    case subtract = "-"
    case divide = "/"
    case floorDivide = "//"
    case multiply = "*"
    case modulo = "%"
    case power = "**"
    case tilde = "~"
    case leftBracket = "["
    case rightBracket = "]"
    case leftParenthesis = "("
    case rightParenthesis = ")"
    case leftBrace = "{"
    case rightBrace = "}"
    case equal = "=="
    case notEqual = "!="
    case greater = ">"
    case greaterOrEqual = ">="
    case less = "<"
    case lessOrEqual = "<="
    case assign = "="
    case dot = "."
    case colon = ":"
    case pipe = "|"
    case comma = ","
    case semicolon = ";"
  }

  let kind: Kind
  let position: TemplatePosition
  /// The name, if it is a name.
  var name = ""
  /// The letters of a string or of data.
  var text: [Letter] = []
  var integer: Int128 = 0
  var float = 0.0

  func isName(_ name: String) -> Bool { kind == .name && self.name == name }

  /// The token in messages.
  var description: String { kind == .name ? name : kind.rawValue }
}
