// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ChatTemplates
import GGUF
import JSON
import Tokenization

/// How a conversation is written for a model: by the program that its authors wrote, or by texts that are built in.
public struct ChatTemplate: Sendable {
  private enum Form: Sendable {
    case program(JinjaTemplate, forTools: JinjaTemplate?)
    case written(WrittenTemplate)
  }

  private let form: Form
  /// The name of the built-in template that this is; nil for a program.
  public var builtInName: String? { if case .written(let template) = form { template.name } else { nil } }
  /// How models that know this template write their turns.
  public let turnFormat: TurnFormat
  /// Everything that the template may write by itself.
  let text: String
  /// The begin-of-text token as a template writes it.
  public var beginOfText = ""
  /// The end-of-text token.
  public var endOfText = ""
  /// What the template is told when it asks for the present.
  public var date: TemplateDate?

  /// The names of the built-in templates, sorted.
  public static let builtInNames = WrittenTemplate.table.map(\.name).sorted()

  private static let key = "tokenizer.chat_template"

  /// A template in the language of Jinja.
  ///
  /// - Throws: `ChatTemplateError.program` where it is not well formed.
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

  /// A built-in template.
  ///
  /// - Throws: `ChatTemplateError.unknownName` if there is none with this name.
  public init(builtIn name: String) throws(ChatTemplateError) {
    guard let template = WrittenTemplate(named: name) else { throw .unknownName(name, known: Self.builtInNames) }
    self.init(template)
  }

  /// The template of a model.
  ///
  /// - Parameters:
  ///   - name: nil for the model's own template; for a model without one, the built-in one whose tokens its vocabulary has. Else the
  ///     name of another template of the model, or of a built-in one.
  ///   - tokenizer: The model's; its begin-of-text and end-of-text tokens are what the template writes.
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
      // transformers takes the template for tools wherever a conversation has some.
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

  /// The names that a model's templates can be chosen by: its own ones, then the built-in ones.
  private static func names(_ metadata: GGUFMetadata) -> [String] {
    metadata.entries.map(\.key).filter { $0.hasPrefix(key + ".") }.map { String($0.dropFirst(key.count + 1)) } + builtInNames
  }

  /// The prompt of a conversation, in pieces that say which of it the template wrote.
  ///
  /// The begin-of-text token is in it only if the template writes it.
  /// - Throws: `ChatTemplateError.refused` where the template refuses the conversation.
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
