// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import JSON

/// A parser for turns as gpt-oss writes them: messages with headers that name a channel and a recipient.
///
///     <|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>commentary to=functions.f <|constrain|>json<|message|>{…}
///
/// The channel `analysis` is reasoning, a message to a function is a call, and everything else is content.
struct HarmonyParser: Sendable {
  /// A part of a turn.
  enum Part {
    case reasoning([UInt8])
    case content([UInt8])
    case call(ToolCall)
  }

  /// What comes next in the output.
  private enum State {
    case start
    case header
    case reasoning
    case content
    case call(name: String, header: [UInt8])
  }

  private var state = State.start

  /// The texts between messages, and between the parts of a message.
  static let marks = ["<|start|>", "<|channel|>", "<|constrain|>", "<|message|>", "<|end|>", "<|call|>", "<|return|>"]

  private static let ends = ["<|end|>", "<|call|>", "<|return|>"].map { Array($0.utf8) }
  private static let begin = Array("<|start|>".utf8)
  private static let message = Array("<|message|>".utf8)
  private static let headers = ["<|channel|>", " to=", "<|start|>", "<|message|>"].map { Array($0.utf8) }

  /// Returns the parts that can be recognised so far, and removes them from `pending`.
  mutating func parts(of pending: inout [UInt8], isFinal: Bool) -> [Part] {
    var parts: [Part] = []
    while step(&pending, &parts, isFinal: isFinal) {}
    return parts
  }

  private mutating func step(_ pending: inout [UInt8], _ parts: inout [Part], isFinal: Bool) -> Bool {
    switch state {
    case .start:
      guard !pending.isEmpty else { return false }
      if Self.headers.contains(where: { pending.starts(with: $0) }) {
        state = .header
      } else if !isFinal, Self.headers.contains(where: { pending.endsWithin($0, at: 0) }) {
        return false
      } else {
        state = .content
      }
      return true
    case .header: return header(&pending, &parts, isFinal: isFinal)
    case .reasoning, .content: return text(&pending, &parts, isFinal: isFinal)
    case .call(let name, let header): return call(name, header, &pending, &parts, isFinal: isFinal)
    }
  }

  private mutating func header(_ pending: inout [UInt8], _ parts: inout [Part], isFinal: Bool) -> Bool {
    guard let end = pending.firstIndex(of: Self.message, from: 0) else {
      // An incomplete header has no meaning.
      if isFinal { pending = [] }
      return false
    }
    let header = Array(pending[..<end])
    pending.removeFirst(end + Self.message.count)
    let text = String(decoding: header, as: UTF8.self)
    if let recipient = text.firstRange(of: "to=functions.") {
      let name = text[recipient.upperBound...].prefix { !$0.isWhitespace && $0 != "<" }
      state = .call(name: String(name), header: header)
    } else {
      state = text.contains("<|channel|>analysis") ? .reasoning : .content
    }
    return true
  }

  /// Returns where the message ends, and the length of the mark that ends it.
  private static func end(of pending: [UInt8]) -> (offset: Int, length: Int)? {
    var first: (offset: Int, length: Int)?
    for mark in ends + [begin] {
      guard let offset = pending.firstIndex(of: mark, from: 0), first.map({ offset < $0.offset }) ?? true else { continue }
      first = (offset, mark == begin ? 0 : mark.count)
    }
    return first
  }

  private mutating func text(_ pending: inout [UInt8], _ parts: inout [Part], isFinal: Bool) -> Bool {
    func part(_ bytes: [UInt8]) -> Part { if case .reasoning = state { .reasoning(bytes) } else { .content(bytes) } }
    guard let (offset, length) = Self.end(of: pending) else {
      let held = isFinal ? 0 : Self.heldCount(pending)
      parts.append(part(Array(pending.dropLast(held))))
      pending.removeFirst(pending.count - held)
      return false
    }
    parts.append(part(Array(pending[..<offset])))
    pending.removeFirst(offset + length)
    state = .start
    return true
  }

  /// Returns the number of bytes at the end that may be the beginning of a mark.
  private static func heldCount(_ pending: [UInt8]) -> Int {
    var held = 0
    for mark in ends + [begin] {
      for length in stride(from: min(mark.count - 1, pending.count), to: held, by: -1)
      where pending.endsWithin(mark, at: pending.count - length) {
        held = length
        break
      }
    }
    return held
  }

  private mutating func call(
    _ name: String, _ header: [UInt8], _ pending: inout [UInt8], _ parts: inout [Part], isFinal: Bool
  ) -> Bool {
    let end = Self.end(of: pending)
    guard end != nil || isFinal else { return false }
    let (offset, length) = end ?? (pending.count, 0)
    let body = Array(pending[..<offset])
    if let arguments = (try? JSONValue(parsing: body))?.object {
      parts.append(.call(ToolCall(name: name, arguments: arguments)))
    } else {
      parts.append(.content(header + Self.message + body))
    }
    pending.removeFirst(offset + length)
    state = .start
    return !pending.isEmpty
  }
}
