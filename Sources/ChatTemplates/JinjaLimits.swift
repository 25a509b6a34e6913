// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Limits on a template, which is code that comes with a model and is not trusted.
///
/// With the defaults, every known template can render a conversation of a million characters, and an endless loop ends within a
/// second.
public struct JinjaLimits: Sendable {
  /// The largest size of a template, in Unicode scalars.
  public var templateSize = 1 << 20
  /// The largest depth of nested statements, parentheses and brackets.
  public var syntaxDepth = 64
  /// The largest number of steps of a rendering, such as evaluating an expression, or making or visiting an element of a list.
  public var steps = 3_000_000
  /// The largest depth of macros, loops and expressions that are running inside one another.
  public var callDepth = 400
  /// The largest depth of nested lists and dictionaries.
  public var valueDepth = 160
  /// The largest number of characters in all strings made while rendering together, including the output.
  public var characters = 1 << 25

  /// Makes the default limits.
  public init() {}
}
