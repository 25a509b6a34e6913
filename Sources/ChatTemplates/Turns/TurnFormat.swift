// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// How a family of models writes its turns: its thinking, its answers and its calls of functions.
public struct TurnFormat: Sendable {
  /// The name of the family.
  public let name: String

  /// The marks around the model's thinking; nil if it does not think.
  package var reasoning: Marks?
  /// Whether the family or the template is known to think. If false, the marks are just those that most families use.
  package let isKnownToReason: Bool
  /// Marks without a meaning for the user, such as those around the answer.
  package var framing: [String] = []
  /// How the family writes calls of functions.
  package var calls: Calls = .none

  /// The texts before and after the model's thinking.
  package struct Marks: Sendable {
    package let open: String
    package let close: String
  }

  /// The ways in which families write calls of functions.
  package enum Calls: Sendable {
    case none
    /// Calls between marks. Without a closing mark, the section ends where something else begins.
    case section(open: [String], close: [String], CallSyntax)
    /// Single calls within the text; each begins with the mark.
    case single(mark: String, CallSyntax)
    /// The whole answer is one object, or begins with the mark.
    case wholeAnswer(mark: String)
    /// Messages with headers, as gpt-oss writes them.
    case harmony
  }

  /// The names of all families, in the order in which they are tried.
  public static var names: [String] { TurnFormatTable.rows.map(\.name) }

  /// Finds the format with this name; nil if there is none. Its marks of reasoning are `<think>` and `</think>`, unless the family
  /// has others.
  public init?(named name: String) {
    guard let row = TurnFormatTable.rows.first(where: { $0.name == name }) else { return nil }
    self = TurnFormat(
      row, reasoning: row.reasoning ?? TurnFormatTable.reasoningMarks[0], isKnownToReason: row.reasoning != nil)
  }

  /// Finds the format that a chat template writes, by the marks in it. If none is recognised, the format has no calls.
  public init(recognizedIn template: String) {
    let bytes = Array(template.utf8)
    func has(_ mark: String) -> Bool { bytes.firstIndex(of: Array(mark.utf8), from: 0) != nil }
    let row = TurnFormatTable.rows.first { $0.marks.allSatisfy(has) } ?? TurnFormatTable.plain
    // A template that only removes the thinking from earlier turns contains only the closing mark.
    let marks = row.reasoning ?? TurnFormatTable.reasoningMarks.first { has($0.close) }
    self = TurnFormat(row, reasoning: marks, isKnownToReason: marks != nil)
  }

  /// Whether the text of a token occurs in one of the format's marks, so that a parser must see it.
  public func contains(mark: String) -> Bool { !mark.isEmpty && marks.contains { $0.utf8.firstRange(of: mark.utf8) != nil } }

  /// Whether an output continues reasoning that its prompt has begun: it closes reasoning without opening it before.
  public func continuesReasoning(_ output: String) -> Bool {
    guard let reasoning, let close = output.utf8.firstRange(of: reasoning.close.utf8) else { return false }
    return output.utf8[..<close.lowerBound].firstRange(of: reasoning.open.utf8) == nil
  }

  /// The mark that opens reasoning; nil if the format has none.
  public var reasoningOpening: String? { reasoning?.open }

  /// The mark that closes reasoning; nil if the format has none.
  public var reasoningClosing: String? { reasoning?.close }

  /// Whether the model begins with reasoning after this prompt.
  public func isReasoning(after prompt: String) -> Bool {
    reasoning.map { prompt.trimmed.hasSuffix($0.open.trimmed) } ?? false
  }

  /// All texts with a meaning for a parser.
  private var marks: [String] {
    var marks = framing + (reasoning.map { [$0.open, $0.close] } ?? [])
    switch calls {
    case .none: break
    case .section(let open, let close, let syntax): marks += open + close + syntax.marks
    case .single(let mark, let syntax): marks += [mark] + syntax.marks
    case .wholeAnswer(let mark): marks.append(mark)
    case .harmony: marks += HarmonyParser.marks
    }
    return marks
  }

  private init(_ row: TurnFormatTable.Row, reasoning: Marks?, isKnownToReason: Bool) {
    name = row.name
    self.reasoning = reasoning
    self.isKnownToReason = isKnownToReason
    framing = row.framing
    calls = row.calls
  }
}
