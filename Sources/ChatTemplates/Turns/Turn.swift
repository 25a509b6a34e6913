// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import JSON

/// A function that a model asks for.
public struct ToolCall: Sendable, Equatable {
  /// The function's name.
  public let name: String
  /// Its arguments by name, in the order in which the model wrote them.
  public let arguments: JSONObject
  /// What the model calls the call, where its format has such a thing.
  public let id: String?

  /// A call of a function.
  public init(name: String, arguments: JSONObject, id: String? = nil) {
    self.name = name
    self.arguments = arguments
    self.id = id
  }
}

/// What a part of a model's output turned out to be.
public enum TurnEvent: Sendable, Equatable {
  /// Some more of what the model thinks before it answers.
  case reasoning(String)
  /// Some more of the answer.
  case content(String)
  /// A call that is whole.
  case call(ToolCall)
}

/// A model's turn, taken apart.
public struct Turn: Sendable, Equatable {
  /// What the model thought before it answered.
  public private(set) var reasoning = ""
  /// The answer.
  public private(set) var content = ""
  /// The functions that it asks for.
  public private(set) var calls: [ToolCall] = []

  /// An empty turn.
  public init() {}

  /// Adds what an event says.
  public mutating func append(_ event: TurnEvent) {
    switch event {
    case .reasoning(let text): reasoning += text
    case .content(let text): content += text
    case .call(let call): calls.append(call)
    }
  }
}
