// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A place in a template.
public struct TemplatePosition: Sendable, Hashable {
  /// The line, from 1.
  public let line: Int
  /// The column in that line, in Unicode scalars, from 1.
  public let column: Int

  static let start = TemplatePosition(line: 1, column: 1)
}

/// Why a template could not be parsed or rendered, and where in the template.
///
/// The messages are those of Jinja2 and Python, so that explanations of these on the web still help.
public struct JinjaError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The kind of error. The names of Python's exceptions are in parentheses.
  public enum Kind: Sendable, Equatable {
    /// The template is not well formed (TemplateSyntaxError).
    case syntax
    /// The template uses a filter or a test that does not exist (TemplateAssertionError, TemplateRuntimeError).
    case unknownName
    /// Something undefined was used like a value (UndefinedError).
    case undefined
    /// An operation is not possible with these types (TypeError).
    case type
    /// An operation is not possible with these values (ValueError, LookupError).
    case value
    /// Division by zero, or a number out of range (ZeroDivisionError, OverflowError).
    case arithmetic
    /// The template used something that the sandbox forbids (SecurityError).
    case security
    /// Another error of the template (TemplateRuntimeError, FilterArgumentError).
    case runtime
    /// The template refuses the conversation: it called `raise_exception`.
    case raised
    /// A limit on templates was exceeded; see `JinjaLimits`.
    case limit
    /// Jinja2 can do this, but this engine cannot.
    case unsupported
  }

  /// The kind of error.
  public let kind: Kind
  /// What is wrong; for `raise_exception`, the message of the template.
  public let message: String
  /// The place in the template.
  public let position: TemplatePosition

  /// The place in the template, and what is wrong.
  public var description: String { "template line \(position.line), column \(position.column): \(message)" }
}

/// An error whose place in the template is not known yet.
struct Fault: Error {
  let kind: JinjaError.Kind
  let message: String

  init(_ kind: JinjaError.Kind, _ message: String) {
    self.kind = kind
    self.message = message
  }

  func at(_ position: TemplatePosition) -> JinjaError { JinjaError(kind: kind, message: message, position: position) }
}
