// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A place in a template.
public struct TemplatePosition: Sendable, Hashable {
  /// The line, from 1.
  public let line: Int
  /// The column in that line, in Unicode scalars, from 1.
  public let column: Int

  static let start = TemplatePosition(line: 1, column: 1)
}

/// Why a template could not be read or rendered, and where in the template.
///
/// The messages are those of Jinja2 and of Python, so that what a template's author wrote about them still helps.
public struct JinjaError: Error, Sendable, Equatable, CustomStringConvertible {
  /// What sort of error it is. The names of Python's exceptions are in parentheses.
  public enum Kind: Sendable, Equatable {
    /// The template is not well formed (TemplateSyntaxError).
    case syntax
    /// The template names a filter or a test that does not exist (TemplateAssertionError, TemplateRuntimeError).
    case unknownName
    /// Something undefined was used as if it were a value (UndefinedError).
    case undefined
    /// An operation does not exist for these types (TypeError).
    case type
    /// An operation does not exist for these values (ValueError, LookupError).
    case value
    /// Division by zero, or a number out of range (ZeroDivisionError, OverflowError).
    case arithmetic
    /// The template reached for what the sandbox keeps from it (SecurityError).
    case security
    /// Another error of the template (TemplateRuntimeError, FilterArgumentError).
    case runtime
    /// The template refuses the conversation: it called `raise_exception`.
    case raised
    /// A bound on templates is exceeded; see `JinjaLimits`.
    case limit
    /// Jinja2 can do this and this engine cannot.
    case unsupported
  }

  /// What sort of error it is.
  public let kind: Kind
  /// What is wrong. If the template called `raise_exception`, its message.
  public let message: String
  /// Where in the template.
  public let position: TemplatePosition

  /// The place in the template, and what is wrong.
  public var description: String { "template line \(position.line), column \(position.column): \(message)" }
}

/// An error on its way to where the place in the template is known.
struct Fault: Error {
  let kind: JinjaError.Kind
  let message: String

  init(_ kind: JinjaError.Kind, _ message: String) {
    self.kind = kind
    self.message = message
  }

  func at(_ position: TemplatePosition) -> JinjaError { JinjaError(kind: kind, message: message, position: position) }
}
