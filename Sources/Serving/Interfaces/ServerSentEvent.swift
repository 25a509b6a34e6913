// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import JSON

/// An event of a stream, in the format of "Server-sent events" (WHATWG HTML, section 9.2).
public struct ServerSentEvent: Sendable, Equatable {
  /// The name of the event; nil: none.
  public var name: String?
  /// The data, in one line.
  public var data: String

  /// Makes an event with a document as its data.
  public init(_ document: JSONValue, name: String? = nil) {
    data = document.compact
    self.name = name
  }

  /// The event that ends OpenAI's streams.
  public static let done = ServerSentEvent(data: "[DONE]")

  private init(data: String) { self.data = data }

  /// The event as it is sent.
  public var text: String { (name.map { "event: \($0)\n" } ?? "") + "data: \(data)\n\n" }

  /// Returns a line that clients ignore; it keeps a connection alive.
  public static func comment(_ text: String) -> String { ": \(text)\n\n" }
}

/// Writes the events of a request's answers in the form of an interface.
public protocol AnswerEncoder: Sendable {
  /// Returns the events that a stream begins with.
  mutating func begin() -> [ServerSentEvent]
  /// Takes an event of one answer, and returns the events that it causes in the stream.
  mutating func take(_ event: AnswerEvent, ofAnswer index: Int) -> [ServerSentEvent]
  /// Returns the events that a stream ends with, after all answers have ended.
  mutating func finish() -> [ServerSentEvent]
  /// Returns the event of a stream that fails.
  func failure(_ error: InterfaceError) -> ServerSentEvent
  /// All answers in one document, after all have ended.
  var document: JSONValue { get }
}

/// A request that has been read: what to compute, and how to write the answers.
public struct InterfaceRequest: Sendable {
  /// One request for each answer.
  public var requests: [AnswerRequest]
  /// What writes the answers.
  public var encoder: any AnswerEncoder
  /// Whether the answers are sent as a stream.
  public var isStreamed: Bool
  /// Whether there may be so many requests that they must not be in the queue all at once.
  public var isList = false
}
