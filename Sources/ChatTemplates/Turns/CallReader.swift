// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import JSON

/// Reads one call from the bytes received so far.
struct CallReader {
  let types: ParameterTypes

  /// - Parameter start: Where the call begins.
  func call(_ syntax: CallSyntax, in bytes: [UInt8], at start: Int) -> Attempt<ToolCall> {
    switch syntax {
    case .object: object(bytes, start, isKeyed: false)
    case .keyedObject: object(bytes, start, isKeyed: true)
    case .named(let syntax): named(syntax, ByteReader(bytes, at: start))
    case .tagged(let syntax): tagged(syntax, ByteReader(bytes, at: start))
    case .gemma: GemmaCallReader.call(bytes, start)
    }
  }

  /// Reads a JSON value.
  private static func json(_ bytes: [UInt8], _ start: Int) -> Attempt<JSONValue> {
    do throws(JSONError) {
      let (value, end) = try JSONValue.parsePrefix(of: bytes, from: start)
      return .complete(value, end: end)
    } catch {
      return error.isTruncated ? .incomplete : .invalid
    }
  }

  // MARK: Objects

  private func object(_ bytes: [UInt8], _ start: Int, isKeyed: Bool) -> Attempt<ToolCall> {
    guard start < bytes.count else { return .incomplete }
    guard bytes[start] == UInt8(ascii: "{") else { return .invalid }
    switch Self.json(bytes, start) {
    case .incomplete: return .incomplete
    case .invalid: return .invalid
    case .complete(let value, let end):
      guard let call = isKeyed ? Self.keyedCall(value) : Self.call(value) else { return .invalid }
      return .complete(call, end: end)
    }
  }

  /// Returns the call that an object with name and arguments describes; nil if it is not one.
  static func call(_ value: JSONValue) -> ToolCall? {
    guard let name = value["name"]?.string ?? value["tool_name"]?.string, isName(name),
      let arguments = arguments(value["arguments"] ?? value["parameters"])
    else { return nil }
    return ToolCall(name: name, arguments: arguments, id: value["id"]?.string ?? value["tool_call_id"]?.string)
  }

  private static func keyedCall(_ value: JSONValue) -> ToolCall? {
    guard let members = value.object?.members, members.count == 1, let arguments = arguments(members[0].value) else { return nil }
    return ToolCall(name: members[0].name, arguments: arguments)
  }

  /// Returns arguments given as an object, or as a string that contains one.
  private static func arguments(_ value: JSONValue?) -> JSONObject? {
    switch value {
    case .object(let object)?: object
    case .string(let text)?: (try? JSONValue(parsing: text))?.object
    default: nil
    }
  }

  /// Whether a text can be the name of a function. Otherwise the text after a mark is not a call.
  static func isName(_ name: String) -> Bool {
    !name.isEmpty && name.utf8.count <= 256
      && !name.unicodeScalars.contains { $0.properties.isWhitespace || "<>{}[]\"".unicodeScalars.contains($0) }
  }

  // MARK: Name and object

  private func named(_ syntax: CallSyntax.NamedCall, _ reader: ByteReader) -> Attempt<ToolCall> {
    var reader = reader
    guard case .complete = reader.take(syntax.open) else { return reader.take(syntax.open).failure() }
    let nameStart = reader.position
    guard let (text, _) = reader.text(before: [syntax.nameEnd]) else { return incompleteName(reader, nameStart) }
    let (name, id) = Self.nameAndID(text)
    guard Self.isName(name), case .complete = reader.take(syntax.nameEnd) else { return .invalid }
    switch Self.json(reader.bytes, reader.position) {
    case .incomplete: return .incomplete
    case .invalid: return .invalid
    case .complete(let value, let end):
      guard let arguments = Self.arguments(value) else { return .invalid }
      reader.position = end
      if !syntax.close.isEmpty {
        if !syntax.close.hasPrefix("\n") { reader.skipSpace() }
        let close = reader.take(syntax.close)
        guard case .complete = close else { return close.failure() }
      }
      return .complete(ToolCall(name: name, arguments: arguments, id: id), end: reader.position)
    }
  }

  /// Divides `functions.name:0` of Kimi and `name[CALL_ID]id` of Mistral into name and id.
  private static func nameAndID(_ text: String) -> (name: String, id: String?) {
    if let range = text.firstRange(of: "[CALL_ID]") {
      return (String(text[..<range.lowerBound]), String(text[range.upperBound...]))
    }
    guard text.hasPrefix("functions."), let colon = text.lastIndex(of: ":"), Int(text[text.index(after: colon)...]) != nil else {
      return (text.trimmed, nil)
    }
    return (String(text[..<colon].dropFirst("functions.".count)), text)
  }

  /// Returns the result for a name that has not ended yet: invalid if it is already too long for a name.
  private func incompleteName(_ reader: ByteReader, _ start: Int) -> Attempt<ToolCall> {
    reader.bytes.count - start > 512 ? .invalid : .incomplete
  }

  // MARK: Tags

  private func tagged(_ syntax: CallSyntax.TaggedCall, _ reader: ByteReader) -> Attempt<ToolCall> {
    var reader = reader
    let open = reader.take(syntax.open)
    guard case .complete = open else { return open.failure() }
    let nameStart = reader.position
    guard let (text, nameEnd) = reader.text(before: syntax.nameEnds) else { return incompleteName(reader, nameStart) }
    let name = text.trimmed
    guard Self.isName(name) else { return .invalid }
    if nameEnd != syntax.keyOpen && nameEnd != syntax.close { _ = reader.take(nameEnd) }
    if !syntax.nameAttributesEnd.isEmpty {
      guard reader.text(before: [syntax.nameAttributesEnd]) != nil else { return .incomplete }
      _ = reader.take(syntax.nameAttributesEnd)
    }
    var arguments = JSONObject()
    while true {
      reader.skipSpace()
      if reader.isAtEnd { return .incomplete }
      if case .complete = reader.take(syntax.close) {
        return .complete(ToolCall(name: name, arguments: arguments), end: reader.position)
      }
      switch argument(syntax, &reader, of: name) {
      case .complete(let (key, value), _): arguments[key] = value
      case .incomplete: return .incomplete
      case .invalid:
        if case .incomplete = reader.take(syntax.close) { return .incomplete }
        return .invalid
      }
    }
  }

  private func argument(
    _ syntax: CallSyntax.TaggedCall, _ reader: inout ByteReader, of function: String
  ) -> Attempt<(String, JSONValue)> {
    let open = reader.take(syntax.keyOpen)
    guard case .complete = open else { return open.failure() }
    guard let (key, _) = reader.text(before: [syntax.keyEnd]) else { return .incomplete }
    _ = reader.take(syntax.keyEnd)
    var attributes = ""
    if !syntax.attributesEnd.isEmpty {
      guard let (text, _) = reader.text(before: [syntax.attributesEnd]) else { return .incomplete }
      attributes = text
      _ = reader.take(syntax.attributesEnd)
    }
    if !syntax.valueOpen.isEmpty {
      reader.skipSpace()
      let open = reader.take(syntax.valueOpen)
      guard case .complete = open else { return open.failure() }
    }
    guard let text = value(syntax, &reader) else { return .incomplete }
    let value: JSONValue
    if attributes.contains("string=\"true\"") || attributes.contains("type=\"string\"") {
      value = .string(text)
    } else if attributes.contains("=\"") {
      value = (try? JSONValue(parsing: text)) ?? .string(text)
    } else {
      value = types.value(of: text, for: key.trimmed, of: function)
    }
    return .complete((key.trimmed, value), end: reader.position)
  }

  /// Returns the text of a value, without one newline next to each tag, or the text in its CDATA section; nil if it is not
  /// complete.
  private func value(_ syntax: CallSyntax.TaggedCall, _ reader: inout ByteReader) -> String? {
    let (cdataOpen, cdataClose) = ("<![CDATA[", "]]>")
    if case .complete = reader.take(cdataOpen) {
      guard let (text, _) = reader.text(before: [cdataClose + syntax.valueEnd]) else { return nil }
      _ = reader.take(cdataClose + syntax.valueEnd)
      return text
    }
    guard let (text, _) = reader.text(before: [syntax.valueEnd]) else { return nil }
    _ = reader.take(syntax.valueEnd)
    return text.withoutOuterNewlines
  }
}

extension Attempt {
  /// Returns the same failure for another type; a complete attempt counts as invalid.
  func failure<Other>() -> Attempt<Other> {
    if case .incomplete = self { .incomplete } else { .invalid }
  }
}

extension String {
  var trimmed: String {
    let isSpace: (Character) -> Bool = { $0.isWhitespace }
    let start = drop(while: isSpace)
    return String(start.reversed().drop(while: isSpace).reversed())
  }

  /// The text without one newline at each end.
  fileprivate var withoutOuterNewlines: String {
    var text = self[...]
    if text.utf8.first == 0x0A, text.count > 0 { text = text.dropFirst() }
    if text.utf8.last == 0x0A { text = text.dropLast() }
    return String(text)
  }
}
