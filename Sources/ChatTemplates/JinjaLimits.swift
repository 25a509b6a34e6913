// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Bounds on a template, which is code that came with a model and is not trusted.
///
/// The defaults let every known template render a conversation of a million characters; an endless loop ends within a second.
public struct JinjaLimits: Sendable {
  /// The size of a template in Unicode scalars.
  public var templateSize = 1 << 20
  /// How deeply statements, parentheses and brackets may be nested.
  public var syntaxDepth = 64
  /// How many steps a rendering may take: expressions evaluated, elements of lists made or visited.
  public var steps = 3_000_000
  /// How deeply macros, loops and expressions may be entered when the template runs.
  public var callDepth = 400
  /// How deeply lists and dictionaries may be nested.
  public var valueDepth = 160
  /// How many characters all strings made while rendering may have together, the output included.
  public var characters = 1 << 25

  /// The default bounds.
  public init() {}
}
