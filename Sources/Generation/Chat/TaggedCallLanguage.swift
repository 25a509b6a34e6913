// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ChatTemplates
import Grammar
import JSON

/// Calls in which each argument is between its own tags: strings as plain text, everything else as JSON.
struct TaggedCallLanguage {
  let format: TurnFormat
  let syntax: CallSyntax.TaggedCall

  private static let space = CallLanguage.space

  func call(_ tool: OfferedTool) throws(ChatTemplateError) -> Language {
    .sequence([
      .text(syntax.open + tool.name), nameEnd,
      try tool.schema.map { (schema) throws(ChatTemplateError) in try arguments(tool, schema) }
        ?? anyArguments, Self.space, .text(syntax.close),
    ])
  }

  private var nameEnd: Language {
    // Some models write nothing, or a newline, between the name and what follows.
    if syntax.nameEnds.contains(syntax.keyOpen) { return .optional(.text("\n")) }
    guard !syntax.nameAttributesEnd.isEmpty else { return .text(syntax.nameEnds[0]) }
    let index = Language.sequence([.text(" index=\""), .repetition(.oneOf("0123456789"), minimum: 1, maximum: 6), .text("\"")])
    return .sequence([.text(syntax.nameEnds[0]), .optional(index), .text(syntax.nameAttributesEnd)])
  }

  /// Any number of arguments with any values.
  private var anyArguments: Language {
    let key = Language.free(FreeText([(syntax.keyEnd, .empty)]))
    let words = Language.repetition(.oneOf(" =\"abcdefghijklmnopqrstuvwxyz"), minimum: 0, maximum: 40)
    let attributes = syntax.attributesEnd.isEmpty ? Language.empty : .sequence([words, .text(syntax.attributesEnd)])
    let argument = Language.sequence([Self.space, .text(syntax.keyOpen), key, attributes, valueOpen, anyText])
    return .repetition(argument, minimum: 0, maximum: nil)
  }

  private var valueOpen: Language {
    syntax.valueOpen.isEmpty ? .empty : .sequence([Self.space, .text(syntax.valueOpen)])
  }

  /// A text up to the tag that ends it, or in a CDATA section, which may contain the tag.
  private var anyText: Language {
    .choice([
      .free(FreeText([(syntax.valueEnd, .empty), ("<![CDATA[", nil)])),
      .sequence([.text("<![CDATA["), .free(FreeText([("]]>" + syntax.valueEnd, .empty)]))]),
    ])
  }

  /// Returns the arguments of a schema, in its order.
  private func arguments(_ tool: OfferedTool, _ schema: JSONObject) throws(ChatTemplateError) -> Language {
    let known: Set<String> = [
      "type", "properties", "required", "additionalProperties", "title", "description", "$schema", "$defs", "definitions",
    ]
    for member in schema.members where !known.contains(member.name) { throw refusal(tool, "'\(member.name)'") }
    let required = Set((schema["required"]?.array ?? []).compactMap(\.string))
    var parts: [Language] = []
    for (name, value) in schema["properties"]?.object?.members ?? [] {
      guard name.utf8.allSatisfy({ $0 > 0x20 && !"<>\"=".utf8.contains($0) }) else { throw refusal(tool, "the name \"\(name)\"") }
      let argument = Language.sequence([
        Self.space, .text(syntax.keyOpen + name + syntax.keyEnd), try self.value(tool, schema, name, value),
      ])
      parts.append(required.contains(name) ? argument : .optional(argument))
    }
    for name in required where schema["properties"]?[name] == nil { throw refusal(tool, "'\(name)', which has no schema") }
    return .sequence(parts)
  }

  private func value(
    _ tool: OfferedTool, _ schema: JSONObject, _ name: String, _ value: JSONValue
  ) throws(ChatTemplateError) -> Language {
    if ParameterTypes.isString(value) { return .sequence([attributes(isText: true), valueOpen, try text(tool, name, value)]) }
    if syntax.attributesEnd.isEmpty, let types = value["type"]?.array, types.contains("string") {
      // A parser reads the value as a string, or as null.
      guard types.allSatisfy({ $0 == "string" || $0 == "null" }) else {
        throw refusal(tool, "a string or something else, in '\(name)'")
      }
      return .sequence([valueOpen, try text(tool, name, value)])
    }
    let pointer = "#/properties/" + name.pointerPart
    return .sequence([
      attributes(isText: false), valueOpen, .optional(.text("\n")), .document(schema: .object(schema), at: pointer),
      .optional(.text("\n")), .text(syntax.valueEnd),
    ])
  }

  private func attributes(isText: Bool) -> Language {
    guard !syntax.attributesEnd.isEmpty else { return .empty }
    switch format.name {
    case "deepseek-v4": return .text(" string=\"\(isText)\"" + syntax.attributesEnd)
    default:
      let others = ["number", "integer", "boolean", "object", "array", "null"].map { Language.text($0) }
      return .sequence([.text(" type=\""), isText ? .text("string") : .choice(others), .text("\"" + syntax.attributesEnd)])
    }
  }

  /// Returns a string without quotation marks.
  private func text(_ tool: OfferedTool, _ name: String, _ schema: JSONValue) throws(ChatTemplateError) -> Language {
    let known: Set<String> = ["type", "enum", "const", "title", "description", "default", "examples"]
    for member in schema.object?.members ?? [] where !known.contains(member.name) {
      throw refusal(tool, "'\(member.name)' of the string '\(name)'")
    }
    guard let values = schema["const"].map({ [$0] }) ?? schema["enum"]?.array else { return anyText }
    var choices: [Language] = []
    for value in values {
      let text = value == .null ? "null" : value.string ?? ""
      guard value == .null || value.string != nil, !text.hasPrefix("\n"), !text.hasSuffix("\n"), !text.contains(syntax.valueEnd),
        !text.contains("<![CDATA[")
      else { throw refusal(tool, "the value \(value) of '\(name)'") }
      choices.append(.text(text))
    }
    return .sequence([.optional(.text("\n")), .choice(choices), .optional(.text("\n")), .text(syntax.valueEnd)])
  }

  private func refusal(_ tool: OfferedTool, _ what: String) -> ChatTemplateError {
    .badRequest(
      "the function \"\(tool.name)\" is strict, and \(what) cannot be enforced in the turns of \(format.name), whose arguments are not JSON"
    )
  }
}

extension String {
  /// The string as a part of a JSON pointer.
  fileprivate var pointerPart: String {
    reduce(into: "") { $0 += $1 == "~" ? "~0" : $1 == "/" ? "~1" : String($1) }
  }
}
