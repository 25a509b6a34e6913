// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import JSON

/// A conversation, with further input for the template.
public struct ChatRequest: Sendable, Equatable {
  /// The turns in OpenAI's form: objects with `role`, `content`, `tool_calls` and so on. They reach the template unchanged.
  public var messages: [JSONValue]
  /// The functions that the model may call, in OpenAI's form; nil: none.
  public var tools: JSONValue?
  /// Whether the model may call them, or must.
  public var toolChoice = ToolChoice.auto
  /// Whether it may call more than one in a turn.
  public var allowsManyCalls = true
  /// Whether the prompt ends with the beginning of a reply.
  public var addsGenerationPrompt: Bool
  /// Further variables of the template, such as `enable_thinking`.
  public var variables: JSONObject

  /// Makes a request for a conversation.
  public init(
    messages: [JSONValue], tools: JSONValue? = nil, addsGenerationPrompt: Bool = true, variables: JSONObject = JSONObject()
  ) {
    self.messages = messages
    self.tools = tools
    self.addsGenerationPrompt = addsGenerationPrompt
    self.variables = variables
  }

  /// Variables that the request sets itself; a template's arguments may not override them.
  private static let ownVariables = ["messages", "tools", "add_generation_prompt", "bos_token", "eos_token"]

  /// The functions that the prompt tells the model about; nil: none.
  public var offeredTools: JSONValue? { toolChoice == .none ? nil : tools }

  /// Reads a request: `messages`, and optionally `tools`, `tool_choice`, `parallel_tool_calls`, `documents`,
  /// `add_generation_prompt` (true by default) and `chat_template_kwargs`.
  ///
  /// - Throws: `ChatTemplateError.badRequest`, also for any other member: none is ignored.
  public init(_ json: JSONValue) throws(ChatTemplateError) {
    guard let object = json.object else { throw .badRequest("it is not an object with \"messages\"") }
    self.init(messages: [])
    var documents: JSONValue?
    for (name, value) in object.members {
      switch name {
      case "messages":
        guard let messages = value.array, messages.allSatisfy({ $0.object != nil }) else {
          throw .badRequest("\"messages\" is not an array of objects")
        }
        self.messages = messages
      case "tools":
        guard value == .null || value.array != nil else { throw .badRequest("\"tools\" is not an array") }
        tools = value == .null ? nil : value
      case "tool_choice": toolChoice = value == .null ? .auto : try ToolChoice(value)
      case "parallel_tool_calls":
        guard let flag = value.bool else { throw .badRequest("\"parallel_tool_calls\" is neither true nor false") }
        allowsManyCalls = flag
      case "documents": documents = value
      case "add_generation_prompt":
        guard let flag = value.bool else { throw .badRequest("\"add_generation_prompt\" is neither true nor false") }
        addsGenerationPrompt = flag
      case "chat_template_kwargs": variables = try Self.variables(value, "\"chat_template_kwargs\"")
      default: throw .badRequest("\"\(name)\" is not supported")
      }
    }
    guard object["messages"] != nil else { throw .badRequest("it has no \"messages\"") }
    if let documents { variables["documents"] = documents }
  }

  /// The request in the form that `init(_:)` reads.
  public var document: JSONObject {
    var document: JSONObject = ["messages": .array(messages)]
    document["tools"] = tools
    if toolChoice != .auto { document["tool_choice"] = toolChoice.document }
    if !allowsManyCalls { document["parallel_tool_calls"] = false }
    if !addsGenerationPrompt { document["add_generation_prompt"] = false }
    if !variables.isEmpty { document["chat_template_kwargs"] = .object(variables) }
    return document
  }

  /// Reads an object with variables of a template.
  ///
  /// - Parameter name: What an error message calls the object.
  public static func variables(_ json: JSONValue, _ name: String) throws(ChatTemplateError) -> JSONObject {
    guard let object = json.object else { throw .badRequest("\(name) is not an object") }
    if let own = ownVariable(in: object) { throw .badRequest("\(name) may not set \"\(own)\"") }
    return object
  }

  /// Returns a variable in an object that the request sets itself; nil if there is none.
  package static func ownVariable(in object: JSONObject) -> String? { ownVariables.first { object[$0] != nil } }
}
