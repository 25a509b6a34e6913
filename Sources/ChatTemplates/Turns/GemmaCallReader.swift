// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import JSON

/// Reads `call:name{key:<|"|>text<|"|>,list:[1,true]}<tool_call|>`.
struct GemmaCallReader {
  private var reader: ByteReader
  private var isTruncated = false

  static func call(_ bytes: [UInt8], _ start: Int) -> Attempt<ToolCall> {
    var state = GemmaCallReader(reader: ByteReader(bytes, at: start))
    if let call = state.call() { return .complete(call, end: state.reader.position) }
    return state.isTruncated ? .incomplete : .invalid
  }

  private init(reader: ByteReader) { self.reader = reader }

  private mutating func take(_ mark: String) -> Bool {
    switch reader.take(mark) {
    case .complete: return true
    case .incomplete:
      isTruncated = true
      return false
    case .invalid: return false
    }
  }

  private mutating func text(before marks: [String]) -> String? {
    guard let (text, _) = reader.text(before: marks) else {
      isTruncated = true
      return nil
    }
    return text
  }

  private mutating func call() -> ToolCall? {
    guard take("call:"), let name = text(before: ["{"]), CallReader.isName(name), let arguments = object(depth: 0) else {
      return nil
    }
    reader.skipSpace()
    guard take("<tool_call|>") else { return nil }
    return ToolCall(name: name, arguments: arguments)
  }

  private mutating func object(depth: Int) -> JSONObject? {
    guard depth < JSONValue.maximumDepth, take("{") else { return nil }
    var object = JSONObject()
    while !starts("}") {
      if object.count > 0, !take(",") { return nil }
      guard let key = starts("<|\"|>") ? string() : text(before: [":", "}"]), take(":"), let value = value(depth: depth) else {
        return nil
      }
      object[key.trimmed] = value
    }
    return take("}") ? object : nil
  }

  private mutating func array(depth: Int) -> JSONValue? {
    guard depth < JSONValue.maximumDepth, take("[") else { return nil }
    var elements: [JSONValue] = []
    while !starts("]") {
      if !elements.isEmpty, !take(",") { return nil }
      guard let value = value(depth: depth) else { return nil }
      elements.append(value)
    }
    return take("]") ? .array(elements) : nil
  }

  private mutating func starts(_ mark: String) -> Bool {
    reader.skipSpace()
    return reader.starts(with: mark)
  }

  private mutating func string() -> String? {
    guard take("<|\"|>"), let text = text(before: ["<|\"|>"]), take("<|\"|>") else { return nil }
    return text
  }

  private mutating func value(depth: Int) -> JSONValue? {
    if starts("{") { return object(depth: depth + 1).map(JSONValue.object) }
    if starts("[") { return array(depth: depth + 1) }
    if starts("<") { return string().map(JSONValue.string) }
    guard let word = text(before: [",", "}", "]"]) else { return nil }
    switch word.trimmed {
    case "None", "null": return .null
    case "True", "true": return .bool(true)
    case "False", "false": return .bool(false)
    case let word: return (try? JSONValue(parsing: word)) ?? .string(word)
    }
  }
}
