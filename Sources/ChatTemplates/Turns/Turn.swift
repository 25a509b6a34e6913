// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import JSON

/// A call of a function that a model requests.
public struct ToolCall: Sendable, Equatable {
  /// The function's name.
  public let name: String
  /// Its arguments by name, in the order in which the model wrote them.
  public let arguments: JSONObject
  /// The model's id of the call, if its format has ids.
  public let id: String?

  /// Makes a call of a function.
  public init(name: String, arguments: JSONObject, id: String? = nil) {
    self.name = name
    self.arguments = arguments
    self.id = id
  }
}

/// A part of a model's output, recognised.
public enum TurnEvent: Sendable, Equatable {
  /// The next part of the model's thinking before its answer.
  case reasoning(String)
  /// The next part of the answer.
  case content(String)
  /// A complete call.
  case call(ToolCall)
}

/// A model's turn, divided into its parts.
public struct Turn: Sendable, Equatable {
  /// The model's thinking before its answer.
  public private(set) var reasoning = ""
  /// The answer.
  public private(set) var content = ""
  /// The functions that the model calls.
  public private(set) var calls: [ToolCall] = []

  /// Makes an empty turn.
  public init() {}

  /// Adds the content of an event.
  public mutating func append(_ event: TurnEvent) {
    switch event {
    case .reasoning(let text): reasoning += text
    case .content(let text): content += text
    case .call(let call): calls.append(call)
    }
  }
}
