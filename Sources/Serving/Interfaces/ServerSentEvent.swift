// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import JSON

/// An event of a stream, as the standard "Server-sent events" (WHATWG HTML, section 9.2) writes it.
public struct ServerSentEvent: Sendable, Equatable {
  /// Its name; nil for none.
  public var name: String?
  /// Its data, one line.
  public var data: String

  /// An event with a document as its data.
  public init(_ document: JSONValue, name: String? = nil) {
    data = document.compact
    self.name = name
  }

  /// The event that ends OpenAI's streams.
  public static let done = ServerSentEvent(data: "[DONE]")

  private init(data: String) { self.data = data }

  /// The event as it goes over the wire.
  public var text: String { (name.map { "event: \($0)\n" } ?? "") + "data: \(data)\n\n" }

  /// A line that clients ignore, and that keeps a connection alive.
  public static func comment(_ text: String) -> String { ": \(text)\n\n" }
}

/// Writes what becomes known of a request's answers in the form of an interface.
public protocol AnswerEncoder: Sendable {
  /// The events that a stream begins with.
  mutating func begin() -> [ServerSentEvent]
  /// Takes an event of one of the answers, and gives those of the stream that it makes.
  mutating func take(_ event: AnswerEvent, ofAnswer index: Int) -> [ServerSentEvent]
  /// The events that a stream ends with, once all answers have ended.
  mutating func finish() -> [ServerSentEvent]
  /// The event of a stream that fails.
  func failure(_ error: InterfaceError) -> ServerSentEvent
  /// All answers in one document, once all have ended.
  var document: JSONValue { get }
}

/// A request that has been read: what the model is asked for, and how its answers are written.
public struct InterfaceRequest: Sendable {
  /// One for each answer.
  public var requests: [AnswerRequest]
  /// Writes the answers.
  public var encoder: any AnswerEncoder
  /// Whether the answers are wanted as they come.
  public var isStreamed: Bool
  /// Whether they are so many that they must not wait in the queue all at once.
  public var isList = false
}
