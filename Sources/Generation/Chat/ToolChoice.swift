// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import JSON

/// Whether a model may call functions, or must.
public enum ToolChoice: Sendable, Equatable {
  /// It may not, and the prompt does not mention them.
  case none
  /// The model decides.
  case auto
  /// It must call at least one.
  case required
  /// It must call the function of this name.
  case function(String)

  /// Reads OpenAI's forms: a word, or an object that names a function.
  ///
  /// - Throws: `ChatTemplateError.badRequest` for anything else.
  public init(_ json: JSONValue) throws(ChatTemplateError) {
    switch json {
    case "none": self = .none
    case "auto": self = .auto
    case "required": self = .required
    default:
      guard json["type"] == "function", let name = (json["function"] ?? json)["name"]?.string else {
        throw .badRequest("\"tool_choice\" must be none, auto, required, or an object that names a function")
      }
      self = .function(name)
    }
  }

  /// The choice in the form that `init(_:)` reads.
  var document: JSONValue {
    switch self {
    case .none: "none"
    case .auto: "auto"
    case .required: "required"
    case .function(let name): ["type": "function", "function": ["name": .string(name)]]
    }
  }

  /// Whether an answer must contain a call.
  public var forcesCall: Bool { self != .none && self != .auto }
}
