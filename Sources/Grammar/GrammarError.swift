// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Why a grammar or a schema cannot be compiled.
public enum GrammarError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The text of a grammar is not well formed.
  case syntax(problem: String, line: Int, column: Int)
  /// A grammar names a rule that it does not define.
  case undefinedRule(String)
  /// A rule begins with itself, which an automaton that reads from the left cannot handle.
  case leftRecursion(rule: String)
  /// A schema uses something that this compiler cannot enforce. No keyword is ever ignored.
  case unsupported(keyword: String, path: String, reason: String)
  /// A schema contradicts itself or is not well formed.
  case invalidSchema(path: String, problem: String)
  /// The automaton would become too large.
  case tooLarge(limit: Int)
  /// The text of a grammar or a schema is longer than a number of bytes.
  case tooLong(limit: Int)
  /// Merging and comparing the parts of a schema would take too long.
  case tooManyCombinations

  /// What is wrong, and where, in one line.
  public var description: String {
    switch self {
    case .syntax(let problem, let line, let column): "grammar line \(line), column \(column): \(problem)"
    case .undefinedRule(let name): "the grammar uses the rule '\(name)' but does not define it"
    case .leftRecursion(let rule):
      "the rule '\(rule)' begins with itself, or repeats what may be empty; write the repetition on the right"
    case .unsupported(let keyword, let path, let reason):
      "schema \(path): '\(keyword)' is not supported\(reason.isEmpty ? "" : ": " + reason)"
    case .invalidSchema(let path, let problem): "schema \(path): \(problem)"
    case .tooLarge(let limit): "the grammar is too large: more than \(limit) elements"
    case .tooLong(let limit): "the grammar or schema is longer than \(limit) bytes"
    case .tooManyCombinations:
      "the schema takes too long to compile; use fewer parts in 'allOf', alternatives in 'oneOf', and shorter names"
    }
  }
}
