// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import ChatTemplates
import Console
import JSON

/// Ways to show a model's thinking.
enum ReasoningDisplay: String, CaseIterable, ExpressibleByArgument {
  case show
  case dim
  case hide
}

/// Prints a reply as it arrives: what the model thinks, what it answers, and which functions it calls.
struct AnswerDisplay {
  private let reasoning: ReasoningDisplay
  private let isTerminal: Bool
  private let hasColor: Bool
  private var isThinking = false
  private var endsWithLineEnd = true
  private var hasText = false

  /// - Parameter reasoning: How to show thinking. Dimming needs a terminal and is turned off by NO_COLOR; text that cannot be dimmed is
  ///   shown.
  init(_ reasoning: ReasoningDisplay) {
    isTerminal = StandardStream.output.isTerminal
    hasColor = isTerminal && Terminal.allowsColor
    self.reasoning = reasoning
  }

  /// Prints a part of the reply.
  mutating func show(_ event: TurnEvent) {
    switch event {
    case .reasoning(let text):
      guard reasoning != .hide else { return }
      if !isThinking {
        isThinking = true
        if reasoning == .dim, hasColor { Output.write("\u{1B}[2m") }
      }
      write(text)
    case .content(let text):
      endReasoning()
      write(text)
    case .call(let call):
      endReasoning()
      if !endsWithLineEnd { write("\n") }
      let document: JSONValue = ["name": .string(call.name), "arguments": .object(call.arguments)]
      write("\(document)\n")
    }
  }

  /// Ends the reply, so that what is printed next begins on a new line.
  mutating func finish() {
    endColor()
    if !endsWithLineEnd || !hasText { Output.write("\n") }
  }

  private mutating func endColor() {
    if isThinking, reasoning == .dim, hasColor { Output.write("\u{1B}[22m") }
  }

  private mutating func endReasoning() {
    guard isThinking else { return }
    endColor()
    isThinking = false
    write(endsWithLineEnd ? "\n" : "\n\n")
  }

  private mutating func write(_ text: String) {
    guard !text.isEmpty else { return }
    hasText = true
    endsWithLineEnd = text.utf8.last == UInt8(ascii: "\n")
    Output.write(isTerminal ? Self.harmless(text) : text)
  }

  /// Returns the text without the characters that control a terminal.
  private static func harmless(_ text: String) -> String {
    func isHarmful(_ scalar: Unicode.Scalar) -> Bool {
      scalar.properties.generalCategory == .control && scalar != "\n" && scalar != "\t"
    }
    guard text.unicodeScalars.contains(where: isHarmful) else { return text }
    return String(String.UnicodeScalarView(text.unicodeScalars.map { isHarmful($0) ? "\u{FFFD}" : $0 }))
  }
}
