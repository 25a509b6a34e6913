// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import JSON

extension JSONObject {
  /// The object as a document that states the version of its structure.
  var versioned: JSONValue {
    var document = self
    document["schemaVersion"] = document["schemaVersion"] ?? 1
    return .object(document)
  }

  /// Sets a text; nil removes it.
  package mutating func set(_ name: String, _ text: String?) { self[name] = text.map { .string($0) } }

  /// Sets an integer; nil removes it.
  package mutating func set(_ name: String, _ number: Int?) { self[name] = number.map { .integer(Int128($0)) } }

  /// Sets a number; infinity and NaN become null.
  package mutating func set(_ name: String, _ number: Double) { self[name] = .number(number) }

  /// Sets a truth value; nil removes it.
  package mutating func set(_ name: String, _ bool: Bool?) { self[name] = bool.map { .bool($0) } }

  /// Sets an object.
  package mutating func set(_ name: String, _ object: JSONObject) { self[name] = .object(object) }

  /// Sets an array of objects.
  package mutating func set(_ name: String, _ objects: [JSONObject]) { self[name] = .array(objects.map { .object($0) }) }

  /// Sets an array of texts.
  package mutating func set(_ name: String, _ texts: [String]) { self[name] = .array(texts.map { .string($0) }) }

  /// Sets an array of numbers.
  package mutating func set(_ name: String, _ numbers: [Double]) { self[name] = .array(numbers.map { .number($0) }) }
}

extension JSONValue {
  /// Returns the value with all members sorted by name, either indented over several lines or on one line without spaces.
  func text(indented: Bool) -> String {
    var text = ""
    write(to: &text, depth: indented ? 0 : nil)
    return text
  }

  /// Appends the value. `depth` is the nesting depth for indentation; nil writes one line.
  private func write(to text: inout String, depth: Int?) {
    switch self {
    case .array(let elements):
      Self.list(elements, "[", "]", to: &text, depth) { element, depth, text in element.write(to: &text, depth: depth) }
    case .object(let object):
      Self.list(object.members.sorted { $0.name < $1.name }, "{", "}", to: &text, depth) { member, depth, text in
        text += JSONValue.string(member.name).description + (depth == nil ? ":" : ": ")
        member.value.write(to: &text, depth: depth)
      }
    default: text += description
    }
  }

  private static func list<Element>(
    _ elements: [Element], _ open: String, _ close: String, to text: inout String, _ depth: Int?,
    _ body: (Element, Int?, inout String) -> Void
  ) {
    text += open
    for (index, element) in elements.enumerated() {
      if index > 0 { text += "," }
      if let depth { text += "\n" + String(repeating: "  ", count: depth + 1) }
      body(element, depth.map { $0 + 1 }, &text)
    }
    if let depth, !elements.isEmpty { text += "\n" + String(repeating: "  ", count: depth) }
    text += close
  }
}
