// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ChatTemplates
import GGUF
import JSON
import Tokenization

/// How a conversation is written for a model: by a Jinja program of its authors, or by built-in texts.
public struct ChatTemplate: Sendable {
  private enum Form: Sendable {
    case program(JinjaTemplate, forTools: JinjaTemplate?)
    case written(WrittenTemplate)
  }

  private let form: Form
  /// The name of the built-in template; nil for a program.
  public var builtInName: String? { if case .written(let template) = form { template.name } else { nil } }
  /// How models that know this template write their turns.
  public let turnFormat: TurnFormat
  /// Everything that the template may write by itself.
  let text: String
  /// The text of the begin-of-text token, for templates that write it.
  public var beginOfText = ""
  /// The text of the end-of-text token.
  public var endOfText = ""
  /// The date and time that the template gets if it asks for the present.
  public var date: TemplateDate?

  /// The names of the built-in templates, sorted.
  public static let builtInNames = WrittenTemplate.table.map(\.name).sorted()

  private static let key = "tokenizer.chat_template"

  /// Makes a template from a Jinja program.
  ///
  /// - Throws: `ChatTemplateError.program` if it is not well formed.
  public init(source: String) throws(ChatTemplateError) { try self.init(source: source, forTools: nil) }

  private init(source: String, forTools toolSource: String?) throws(ChatTemplateError) {
    form = .program(try Self.program(source), forTools: try toolSource.map(Self.program))
    text = source + (toolSource ?? "")
    turnFormat = TurnFormat(recognizedIn: text)
  }

  private static func program(_ source: String) throws(ChatTemplateError) -> JinjaTemplate {
    do throws(JinjaError) { return try JinjaTemplate(source) } catch { throw ChatTemplateError(error) }
  }

  private init(_ template: WrittenTemplate) {
    form = .written(template)
    text = template.text
    turnFormat = TurnFormat(named: template.turns) ?? TurnFormat(recognizedIn: "")
  }

  /// Makes a built-in template.
  ///
  /// - Throws: `ChatTemplateError.unknownName` if there is none with this name.
  public init(builtIn name: String) throws(ChatTemplateError) {
    guard let template = WrittenTemplate(named: name) else { throw .unknownName(name, known: Self.builtInNames) }
    self.init(template)
  }

  /// Chooses the template of a model.
  ///
  /// - Parameters:
  ///   - name: The name of another template in the model, or of a built-in one. Nil: the model's own template, or, if it has none,
  ///     the built-in one whose tokens are in the vocabulary.
  ///   - tokenizer: The model's tokenizer; the template writes its begin-of-text and end-of-text tokens.
  public init(_ name: String?, metadata: GGUFMetadata, tokenizer: Tokenizer) throws(ChatTemplateError) {
    if let name {
      if metadata["\(Self.key).\(name)"] != nil {
        try self.init(source: Self.source(metadata, "\(Self.key).\(name)"))
      } else if let template = WrittenTemplate(named: name) {
        self.init(template)
      } else {
        throw .unknownName(name, known: Self.names(metadata))
      }
    } else if metadata[Self.key] != nil {
      // Like transformers, use the template for tools for every conversation that has some.
      let toolKey = "\(Self.key).tool_use"
      let toolSource = metadata[toolKey] == nil ? nil : try Self.source(metadata, toolKey)
      try self.init(source: Self.source(metadata, Self.key), forTools: toolSource)
    } else {
      let guess = WrittenTemplate.table.first { $0.token.map(tokenizer.hasSpecialToken) ?? false }
      guard let guess else { throw .absent(known: Self.names(metadata)) }
      self.init(guess)
    }
    beginOfText = tokenizer.beginOfText.map(tokenizer.text) ?? ""
    endOfText = tokenizer.endOfText.map(tokenizer.text) ?? ""
  }

  private static func source(_ metadata: GGUFMetadata, _ key: String) throws(ChatTemplateError) -> String {
    guard let source = metadata.string(key) else { throw .notText(key: key) }
    return source
  }

  /// Returns the names by which templates can be chosen: those in the model, then the built-in ones.
  private static func names(_ metadata: GGUFMetadata) -> [String] {
    metadata.entries.map(\.key).filter { $0.hasPrefix(key + ".") }.map { String($0.dropFirst(key.count + 1)) } + builtInNames
  }

  /// Returns the prompt of a conversation, in pieces that say whether the template wrote them.
  ///
  /// The prompt contains the begin-of-text token only if the template writes it.
  ///
  /// - Throws: `ChatTemplateError.refused` if the template refuses the conversation.
  public func render(_ request: ChatRequest) throws(ChatTemplateError) -> [PromptPiece] {
    switch form {
    case .written(let template): return try template.render(request)
    case .program(let plain, let forTools):
      var variables = request.variables
      variables["messages"] = .array(request.messages)
      variables["tools"] = request.offeredTools ?? .null
      variables["documents"] = variables["documents"] ?? .null
      variables["add_generation_prompt"] = .bool(request.addsGenerationPrompt)
      variables["bos_token"] = .string(beginOfText)
      variables["eos_token"] = .string(endOfText)
      let program = request.offeredTools == nil ? plain : forTools ?? plain
      do throws(JinjaError) { return try program.render(variables, date: date) } catch { throw ChatTemplateError(error) }
    }
  }
}
