// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import JSON

/// Whether a model may, or must, call functions.
public enum ToolChoice: Sendable, Equatable {
  /// It may not, and is not told of them.
  case none
  /// It decides.
  case auto
  /// It must call at least one.
  case required
  /// It must call this one.
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

  /// The choice as it can be read again.
  var document: JSONValue {
    switch self {
    case .none: "none"
    case .auto: "auto"
    case .required: "required"
    case .function(let name): ["type": "function", "function": ["name": .string(name)]]
    }
  }

  /// Whether an answer has to be a call.
  public var forcesCall: Bool { self != .none && self != .auto }
}
