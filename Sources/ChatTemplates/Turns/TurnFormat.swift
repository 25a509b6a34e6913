// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// How a family of models writes its turns: what it thinks, what it answers, and which functions it calls.
public struct TurnFormat: Sendable {
  /// The name of the family.
  public let name: String

  /// The marks around what the model thinks; nil if it does not.
  var reasoning: Marks?
  /// Marks that mean nothing to a reader, such as those around the answer.
  var framing: [String] = []
  var calls: Calls = .none

  struct Marks: Sendable {
    let open: String
    let close: String
  }

  enum Calls: Sendable {
    case none
    /// Calls between marks. Without a closing mark, they end where something else begins.
    case section(open: [String], close: [String], CallSyntax)
    /// Calls that stand in the text by themselves; the mark is how each begins.
    case single(mark: String, CallSyntax)
    /// The whole answer is one object, or begins with the mark.
    case wholeAnswer(mark: String)
    /// Messages with headers, as gpt-oss writes them.
    case harmony
  }

  /// The names of all families, in the order in which they are looked for.
  public static var names: [String] { TurnFormatTable.rows.map(\.name) }

  /// The format with this name; nil if there is none. Its marks of reasoning are `<think>` and `</think>` unless the family
  /// has others.
  public init?(named name: String) {
    guard let row = TurnFormatTable.rows.first(where: { $0.name == name }) else { return nil }
    self = TurnFormat(row, reasoning: row.reasoning ?? TurnFormatTable.reasoningMarks[0])
  }

  /// The format that a chat template writes, by the marks in it; one without calls if none is recognised.
  public init(recognizedIn template: String) {
    func has(_ mark: String) -> Bool { template.utf8.firstRange(of: mark.utf8) != nil }
    let row = TurnFormatTable.rows.first { $0.marks.allSatisfy(has) } ?? TurnFormatTable.plain
    // A template that only takes the thinking out of earlier turns knows the closing mark alone.
    let marks = row.reasoning ?? TurnFormatTable.reasoningMarks.first { has($0.close) }
    self = TurnFormat(row, reasoning: marks)
  }

  private init(_ row: TurnFormatTable.Row, reasoning: Marks?) {
    name = row.name
    self.reasoning = reasoning
    framing = row.framing
    calls = row.calls
  }
}
