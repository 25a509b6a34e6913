// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Values as text: Python's `str` and `repr`.
///
/// Numbers and names count as the template's own text. The brackets and commas of lists and dictionaries count as input: their
/// elements usually are input, and no special token needs them.
extension Value {
  /// Returns `str(value)`.
  func toText() throws(Fault) -> Text {
    switch self {
    case .string(let text): return text
    case .undefined: return ""
    default: return try representation()
    }
  }

  /// Returns `repr(value)`.
  func representation() throws(Fault) -> Text {
    var writer = RepresentationWriter()
    try writer.write(self, depth: 0)
    return writer.text
  }
}

extension Text {
  /// `repr(text)`: in quotes, with escapes.
  var representation: Text {
    var result: [Letter] = []
    let hasSingle = letters.contains(Letter("'"))
    let quote: Unicode.Scalar = hasSingle && !letters.contains(Letter("\"")) ? "\"" : "'"
    result.append(Letter(quote, isInput: true))
    for letter in letters {
      switch letter.scalar {
      case "\\": result += [letter, letter]
      case quote: result += [letter.replaced(by: "\\"), letter]
      case "\n": result += [letter.replaced(by: "\\"), letter.replaced(by: "n")]
      case "\r": result += [letter.replaced(by: "\\"), letter.replaced(by: "r")]
      case "\t": result += [letter.replaced(by: "\\"), letter.replaced(by: "t")]
      default:
        if letter.isPrintable { result.append(letter) } else { result += letter.escape(short: true) }
      }
    }
    result.append(Letter(quote, isInput: true))
    return Text(result)
  }
}

extension Letter {
  /// Returns `\xNN`, `\uNNNN` or `\UNNNNNNNN`, with the mark of the letter. `\xNN` is used only if `short`.
  func escape(short: Bool) -> [Letter] {
    let digits = String(code, radix: 16)
    let (mark, width) = short && code < 0x100 ? ("x", 2) : code < 0x10000 ? ("u", 4) : ("U", 8)
    let text = "\\" + mark + FloatText.zeros(width - digits.utf8.count) + digits
    return text.unicodeScalars.map { replaced(by: $0) }
  }
}

/// Writes `repr` of nested values.
private struct RepresentationWriter {
  var text = Text([])

  mutating func mark(_ string: String) { text.append(Text(string, isInput: true)) }

  mutating func write(_ value: Value, depth: Int) throws(Fault) {
    // Namespaces can contain themselves.
    guard depth < 256 else { throw Fault(.limit, "a value is nested too deeply to be written") }
    switch value {
    case .undefined: text.append("Undefined")
    case .none: text.append("None")
    case .bool(let bool): text.append(bool ? "True" : "False")
    case .integer(let integer): text.append(Text(integer.description))
    case .float(let float): text.append(Text(FloatText.shortest(float)))
    case .string(let string):
      if string.isMarkup { mark("Markup(") }
      text.append(string.representation)
      if string.isMarkup { mark(")") }
    case .list(let list): try write(list.elements, "[", "]", depth: depth)
    case .tuple(let tuple): try write(tuple.elements, "(", tuple.elements.count == 1 ? ",)" : ")", depth: depth)
    case .dictionary(let dictionary): try write(dictionary, depth: depth)
    case .range(let range): mark("range(\(range.start), \(range.end)\(range.step == 1 ? "" : ", \(range.step)"))")
    case .view(let view): try write(view.elements, view.kind.rawValue + "([", "])", depth: depth)
    case .namespace(let namespace):
      mark("<Namespace ")
      try write(namespace.attributes, depth: depth)
      mark(">")
    case .loop(let loop): mark("<LoopContext \(loop.index + 1)/\(loop.items.count)>")
    case .macro(let macro): mark("<Macro '\(macro.definition.name)'>")
    case .generator: mark("<generator object>")
    case .function(let function): mark("<function \(function.rawValue)>")
    case .method(let method): mark("<built-in method \(method.name) of \(method.receiver.typeName) object>")
    case .cycler: mark("<jinja2.utils.Cycler object>")
    case .joiner: mark("<jinja2.utils.Joiner object>")
    }
  }

  private mutating func write(_ elements: [Value], _ open: String, _ close: String, depth: Int) throws(Fault) {
    mark(open)
    for (index, element) in elements.enumerated() {
      if index > 0 { mark(", ") }
      try write(element, depth: depth + 1)
    }
    mark(close)
  }

  private mutating func write(_ dictionary: DictionaryValue, depth: Int) throws(Fault) {
    mark("{")
    for (index, entry) in dictionary.entries.enumerated() {
      if index > 0 { mark(", ") }
      try write(entry.key, depth: depth + 1)
      mark(": ")
      try write(entry.value, depth: depth + 1)
    }
    mark("}")
  }
}
