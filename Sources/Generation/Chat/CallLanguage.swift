// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ChatTemplates
import Grammar
import JSON

/// The calls of functions that a family of models can write, as a language that masks its tokens.
struct CallLanguage {
  let format: TurnFormat
  let tools: [OfferedTool]
  /// Whether a turn may contain more than one call.
  let allowsMany: Bool

  static let space = Language.repetition(.oneOf(" \t\n"), minimum: 0, maximum: 24)
  private static let digits = Language.repetition(.oneOf("0123456789"), minimum: 1, maximum: 6)
  private static let identifier = Language.repetition(
    .oneOf("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"), minimum: 1, maximum: 40)

  /// Returns the marks that calls begin with, and the language of what follows each.
  ///
  /// - Throws: `ChatTemplateError.badRequest` if the model family has no form for calls, or none whose arguments can be enforced.
  func starts() throws(ChatTemplateError) -> [(mark: String, rest: Language)] {
    switch format.calls {
    case .none: throw .badRequest("the turns of \(format.name) have no form for calls of tools, so none can be forced or checked")
    case .section(let opens, let closes, let syntax):
      let section = try self.section(syntax, close: closes.first)
      let open = Language.text(opens[0])
      let rest =
        allowsMany ? .sequence([section, .repetition(.sequence([Self.space, open, section]), minimum: 0, maximum: nil)]) : section
      return opens.map { ($0, rest) }
    case .single(let mark, let syntax):
      let call = try self.call(syntax)
      let rest =
        allowsMany
        ? .sequence([call, .repetition(.sequence([Self.space, .text(mark), call]), minimum: 0, maximum: nil)]) : call
      return [(mark, rest)]
    case .wholeAnswer(let mark): return [(mark, .sequence([Self.space, try call(.object)]))]
    case .harmony: return []
    }
  }

  /// Returns calls together with the marks before them.
  func calls() throws(ChatTemplateError) -> Language {
    var choices = try starts().map { Language.sequence([.text($0.mark), $0.rest]) }
    if case .wholeAnswer = format.calls { choices.append(try call(.object)) }
    return .choice(choices)
  }

  /// Returns what is between the marks of a section.
  private func section(_ syntax: CallSyntax, close: String?) throws(ChatTemplateError) -> Language {
    let call = try call(syntax)
    func list(_ separator: Language) -> Language {
      guard allowsMany else { return call }
      return .sequence([call, .repetition(.sequence([Self.space, separator, Self.space, call]), minimum: 0, maximum: nil)])
    }
    let plain = list(.empty)
    var choices = [plain]
    if case .object = syntax { choices = [.sequence([.text("["), Self.space, list(.text(",")), Self.space, .text("]")]), plain] }
    if case .keyedObject = syntax { choices = [.sequence([.text("["), Self.space, list(.text(",")), Self.space, .text("]")])] }
    // The section's mark already contains the opening bracket of the list.
    if format.name == "firefunction" { choices = [.sequence([list(.text(",")), Self.space, .text("]")])] }
    return .sequence([Self.space, .choice(choices), close.map { .sequence([Self.space, .text($0)]) } ?? Self.space])
  }

  private func call(_ syntax: CallSyntax) throws(ChatTemplateError) -> Language {
    .choice(try tools.map { (tool) throws(ChatTemplateError) in try call(syntax, tool) })
  }

  private func call(_ syntax: CallSyntax, _ tool: OfferedTool) throws(ChatTemplateError) -> Language {
    switch syntax {
    case .object: return object(tool)
    case .keyedObject: return .sequence([.text("{"), Self.space, member(tool.name, tool.object), Self.space, .text("}")])
    case .named(let named): return self.named(named, tool)
    case .tagged(let tagged): return try TaggedCallLanguage(format: format, syntax: tagged).call(tool)
    case .gemma:
      guard tool.schema == nil else {
        throw .badRequest(
          "the function \"\(tool.name)\" is strict, but arguments cannot be enforced in the turns of \(format.name)")
      }
      return .sequence([.text("call:" + tool.name), Self.gemmaObject, .text("<tool_call|>")])
    }
  }

  private func member(_ name: String, _ value: Language) -> Language {
    .sequence([.text(JSONValue.string(name).description), Self.space, .text(":"), Self.space, value])
  }

  /// Returns an object with name and arguments, whose members are called as in the model family.
  private func object(_ tool: OfferedTool) -> Language {
    let comma = Language.sequence([Self.space, .text(","), Self.space])
    let name = Language.text(JSONValue.string(tool.name).description)
    let quoted = Language.sequence([.text("\""), Self.identifier, .text("\"")])
    let members: [Language] =
      switch format.name {
      case "command":
        [member("tool_call_id", quoted), comma, member("tool_name", name), comma, member("parameters", tool.object)]
      case "llama": [member("name", name), comma, member("parameters", tool.object)]
      case "mistral":
        [
          member("name", name), comma, member("arguments", tool.object),
          .optional(.sequence([comma, member("id", quoted)])),
        ]
      default: [member("name", name), comma, member("arguments", tool.object)]
      }
    return .sequence([.text("{"), Self.space] + members + [Self.space, .text("}")])
  }

  /// Returns the name, followed by the arguments as an object.
  private func named(_ syntax: CallSyntax.NamedCall, _ tool: OfferedTool) -> Language {
    let name: Language =
      switch format.name {
      case "kimi-k2": .sequence([.text("functions.\(tool.name):"), Self.digits])
      case "mistral-args": .sequence([.text(tool.name), .optional(.sequence([.text("[CALL_ID]"), Self.identifier]))])
      default: .text(tool.name)
      }
    return .sequence([.text(syntax.open), name, .text(syntax.nameEnd), tool.object, .text(syntax.close)])
  }

  /// Any object in the form that Gemma writes.
  private static let gemmaObject: Language = {
    let mark = "<|\"|>"
    let string = Language.sequence([.text(mark), .free(FreeText([(mark, .empty)]))])
    let comma = Language.text(",")
    func list(_ item: Language) -> Language {
      .optional(.sequence([item, .repetition(.sequence([comma, item]), minimum: 0, maximum: nil)]))
    }
    let value = Language.named(
      "gemma value",
      .choice([
        string, .grammar(number), .text("true"), .text("false"), .text("null"), .text("None"),
        .sequence([.text("["), list(.reference("gemma value")), .text("]")]),
        .sequence([
          .text("{"), list(.sequence([.choice([identifier, string]), .text(":"), .reference("gemma value")])), .text("}"),
        ]),
      ]))
    return .sequence([.text("{"), list(.sequence([.choice([identifier, string]), .text(":"), value])), .text("}")])
  }()

  private static let number: Grammar = {
    // The initialiser throws only for a malformed schema.
    guard let grammar = try? Grammar(schema: ["type": "number"]) else { preconditionFailure("the schema of a number is one") }
    return grammar
  }()
}
