// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A place in a template.
public struct TemplatePosition: Sendable, Equatable {
  /// The line, from 1.
  public let line: Int
  /// The column in that line in Unicode scalars, from 1.
  public let column: Int
}
