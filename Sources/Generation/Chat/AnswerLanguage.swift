// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ChatTemplates
import Grammar
import JSON

/// The language of a model's turn if its content must follow a grammar, or its calls the schemas of tools.
struct AnswerLanguage {
  let format: TurnFormat
  /// The functions that may be called; empty if there are none.
  let tools: [OfferedTool]
  let choice: ToolChoice
  let allowsManyCalls: Bool
  /// The grammar of the content; nil: any text.
  let content: Grammar?

  /// What may come before an answer: the line ends that some models write after their thinking, and no more, because none of it is shown.
  private static let lead = Language.repetition(.oneOf(" \n"), minimum: 0, maximum: 2)

  private var forcesCall: Bool { choice.forcesCall }
  private var calls: CallLanguage { CallLanguage(format: format, tools: tools, allowsMany: allowsManyCalls) }

  /// Returns the language of the turn.
  ///
  /// - Parameter prompt: The end of the prompt, which shows whether the model is already thinking.
  func turn(after prompt: String) throws(ChatTemplateError) -> Language {
    if case .harmony = format.calls { return try harmony() }
    return .sequence([reasoning(after: prompt), Self.lead, try answer(), end])
  }

  /// Returns the language of the thinking before the answer.
  private func reasoning(after prompt: String) -> Language {
    guard let marks = format.reasoning else { return .empty }
    let thought = Language.free(FreeText([(marks.close, .empty)], hasControl: true))
    if format.isReasoning(after: prompt) { return thought }
    // A prompt that has closed the thinking does not want any. A model that does not think would never close it.
    if !format.isKnownToReason || prompt.utf8.firstRange(of: marks.close.utf8) != nil { return .empty }
    return .optional(.sequence([CallLanguage.space, .text(marks.open), thought]))
  }

  /// The mark that some model families write after an answer.
  private var end: Language { format.framing.count == 1 ? .optional(.text(format.framing[0])) : .empty }

  private func answer() throws(ChatTemplateError) -> Language {
    var choices: [Language] = []
    if forcesCall { return try calls.calls() }
    if let content {
      choices.append(framed(.grammar(content)))
      if !tools.isEmpty {
        if case .wholeAnswer = format.calls {
          throw .badRequest("the turns of \(format.name) do not tell a call of a tool from an answer within a grammar")
        }
        choices.append(try calls.calls())
      }
      return .choice(choices)
    }
    let starts = try calls.starts().map { (text: $0.mark, next: Optional($0.rest)) }
    guard case .wholeAnswer = format.calls else { return .free(FreeText(starts, mayEnd: true, hasControl: true)) }
    // An answer that begins with a brace is a call.
    return .choice([
      try calls.calls(), .free(FreeText(starts, mayEnd: true, hasControl: true, doesNotBeginWith: "{")),
    ])
  }

  /// Returns content with or without the marks that the model family puts around it.
  private func framed(_ content: Language) -> Language {
    guard format.framing.count == 2 else { return content }
    return .choice([
      content,
      .sequence([.text(format.framing[0]), CallLanguage.space, content, CallLanguage.space, .text(format.framing[1])]),
    ])
  }

  /// Returns messages with headers, as gpt-oss writes them: thinking, then a call or the answer in the final channel.
  private func harmony() throws(ChatTemplateError) -> Language {
    let again = Language.sequence([.text("<|start|>assistant"), .reference("messages")])
    let ends = ["<|call|>", "<|return|>", "<|start|>", "<|channel|>", "<|message|>"].map { (text: $0, next: nil as Language?) }
    let thought = Language.free(FreeText([("<|end|>", again)] + ends))
    let last = Language.free(FreeText([("<|end|>", nil)] + ends, mayEnd: true))
    let final = content.map { Language.grammar($0) } ?? last
    var choices: [Language] = [.sequence([.text("<|channel|>analysis<|message|>"), thought])]
    if content == nil || !tools.isEmpty { choices.append(.sequence([.text("<|channel|>commentary<|message|>"), thought])) }
    if !forcesCall { choices.append(.sequence([.text("<|channel|>final<|message|>"), final])) }
    for tool in tools {
      let form = Language.sequence([
        .choice([.text(" <|constrain|>json"), .text("<|constrain|>json"), .text(" json"), .text(" "), .empty]),
        .text("<|message|>"),
        tool.object,
      ])
      choices.append(.sequence([.text("<|channel|>commentary to=functions.\(tool.name)"), form]))
      choices.append(.sequence([.text(" to=functions.\(tool.name)<|channel|>commentary"), form]))
    }
    return .named("messages", .choice(choices))
  }
}
