// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ChatTemplates
import Grammar
import JSON

/// What a model's turn may be where its content is kept within a grammar, or its calls within the schemas of tools.
struct AnswerLanguage {
  let format: TurnFormat
  /// The functions that may be called; empty where none may.
  let tools: [OfferedTool]
  let choice: ToolChoice
  let allowsManyCalls: Bool
  /// What the content may be; nil: anything.
  let content: Grammar?

  private var forcesCall: Bool { choice.forcesCall }
  private var calls: CallLanguage { CallLanguage(format: format, tools: tools, allowsMany: allowsManyCalls) }

  /// The turn.
  ///
  /// - Parameter prompt: The end of the prompt, which says whether the model is thinking already.
  func turn(after prompt: String) throws(ChatTemplateError) -> Language {
    if case .harmony = format.calls { return try harmony() }
    return .sequence([reasoning(after: prompt), CallLanguage.space, try answer(), end])
  }

  /// What the model thinks before it answers.
  private func reasoning(after prompt: String) -> Language {
    guard let marks = format.reasoning else { return .empty }
    let thought = Language.free(FreeText([(marks.close, .empty)], hasControl: true))
    if format.isReasoning(after: prompt) { return thought }
    // A prompt that has closed it does not want any, and a model that does not think would never close it.
    if !format.isKnownToReason || prompt.utf8.firstRange(of: marks.close.utf8) != nil { return .empty }
    return .optional(.sequence([CallLanguage.space, .text(marks.open), thought]))
  }

  /// The mark that some families write where they have answered.
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

  /// Content between the marks that the family puts around it.
  private func framed(_ content: Language) -> Language {
    guard format.framing.count == 2 else { return content }
    return .choice([
      content,
      .sequence([.text(format.framing[0]), CallLanguage.space, content, CallLanguage.space, .text(format.framing[1])]),
    ])
  }

  /// Messages with headers, as gpt-oss writes them: thoughts, then a call or the answer in the final channel.
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
