// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The filter `tojson`, which in transformers is Python's `json.dumps`.
extension FilterCall {
  func json() throws(Fault) -> Value {
    let values = try bound(["ensure_ascii", "indent", "separators", "sort_keys"])
    var indentation: Text?
    switch values[1] ?? .none {
    case .none: break
    case .string(let text): indentation = text
    case let width:
      guard let width = width.asIndex else { throw Fault(.type, "can't multiply sequence by non-int of type '\(width.typeName)'") }
      try interpreter.budget.take(characters: max(0, width))
      indentation = Text(String(repeating: " ", count: max(0, width)), isInput: true)
    }
    var writer = JSONTextWriter(
      interpreter: interpreter, isASCII: values[0].isTrue(or: false), indentation: indentation,
      sortsKeys: values[3].isTrue(or: false), comma: indentation == nil ? ", " : ",", colon: ": ")
    if let separators = values[2], !separators.isNone {
      let pair = try interpreter.elements(of: separators)
      guard pair.count == 2, case .string(let comma) = pair[0], case .string(let colon) = pair[1] else {
        throw Fault(.type, "separators has to be a pair of strings")
      }
      writer.comma = comma
      writer.colon = colon
    }
    try writer.write(value, depth: 0)
    return .string(writer.text)
  }
}

/// Writes values as JSON. Everything between strings counts as input; see `Value.representation`.
private struct JSONTextWriter {
  let interpreter: Interpreter
  let isASCII: Bool
  let indentation: Text?
  let sortsKeys: Bool
  var comma: Text
  var colon: Text
  var text = Text([])

  init(interpreter: Interpreter, isASCII: Bool, indentation: Text?, sortsKeys: Bool, comma: String, colon: String) {
    self.interpreter = interpreter
    self.isASCII = isASCII
    self.indentation = indentation
    self.sortsKeys = sortsKeys
    self.comma = Text(comma, isInput: true)
    self.colon = Text(colon, isInput: true)
  }

  private mutating func append(_ part: Text) throws(Fault) {
    try interpreter.budget.take(characters: part.count)
    text.append(part)
  }

  private mutating func mark(_ scalar: Unicode.Scalar) throws(Fault) {
    try interpreter.budget.take(characters: 1)
    text.append(Letter(scalar, isInput: true))
  }

  mutating func write(_ value: Value, depth: Int) throws(Fault) {
    try interpreter.budget.take(steps: 2)
    switch value {
    case .none: try append("null")
    case .bool(let bool): try append(bool ? "true" : "false")
    case .integer(let integer): try append(Text(integer.description))
    case .float(let float): try append(Text(Self.number(float)))
    case .string(let string): try write(string)
    case .list(let list): try write(list.elements, depth: depth)
    case .tuple(let tuple): try write(tuple.elements, depth: depth)
    case .dictionary(let dictionary): try write(dictionary, depth: depth)
    default: throw Fault(.type, "Object of type \(value.typeName) is not JSON serializable")
    }
  }

  private static func number(_ float: Double) -> String {
    if float.isFinite { return FloatText.shortest(float) }
    return float.isNaN ? "NaN" : float < 0 ? "-Infinity" : "Infinity"
  }

  private mutating func breakLine(_ depth: Int) throws(Fault) {
    guard let indentation else { return }
    try mark("\n")
    for _ in 0..<depth { try append(indentation) }
  }

  private mutating func write(_ elements: [Value], depth: Int) throws(Fault) {
    guard !elements.isEmpty else { return try append(Text("[]", isInput: true)) }
    try mark("[")
    for (index, element) in elements.enumerated() {
      if index > 0 { try append(comma) }
      try breakLine(depth + 1)
      try write(element, depth: depth + 1)
    }
    try breakLine(depth)
    try mark("]")
  }

  private mutating func write(_ dictionary: DictionaryValue, depth: Int) throws(Fault) {
    guard dictionary.count > 0 else { return try append(Text("{}", isInput: true)) }
    var entries = dictionary.entries
    if sortsKeys {
      let pairs = DictionaryView(dictionary: dictionary, kind: .items).elements
      let sorted = try pairs.sorted(descending: false) { (pair) throws(Fault) in try pair.elements()[0] }
      entries = []
      for pair in sorted {
        let parts = try pair.elements()
        entries.append((parts[0], parts[1]))
      }
    }
    try mark("{")
    for (index, entry) in entries.enumerated() {
      if index > 0 { try append(comma) }
      try breakLine(depth + 1)
      try write(key(entry.key))
      try append(colon)
      try write(entry.value, depth: depth + 1)
    }
    try breakLine(depth)
    try mark("}")
  }

  private func key(_ key: Value) throws(Fault) -> Text {
    switch key {
    case .string(let text): text
    case .none: "null"
    case .bool(let bool): bool ? "true" : "false"
    case .integer(let integer): Text(integer.description)
    case .float(let float): Text(Self.number(float))
    default: throw Fault(.type, "keys must be str, int, float, bool or None, not \(key.typeName)")
    }
  }

  private mutating func write(_ string: Text) throws(Fault) {
    try interpreter.budget.take(characters: string.count + 2)
    text.append(Letter("\"", isInput: true))
    for letter in string.letters {
      switch letter.scalar {
      case "\"", "\\":
        text.append(letter.replaced(by: "\\"))
        text.append(letter)
      case "\n": escape(letter, "n")
      case "\r": escape(letter, "r")
      case "\t": escape(letter, "t")
      case "\u{8}": escape(letter, "b")
      case "\u{C}": escape(letter, "f")
      case "\u{0}"..<" ": text.letters += letter.escape(short: false)
      default:
        if isASCII && letter.code >= 0x7F { writeEscaped(letter) } else { text.append(letter) }
      }
    }
    text.append(Letter("\"", isInput: true))
  }

  private mutating func escape(_ letter: Letter, _ mark: Unicode.Scalar) {
    text.append(letter.replaced(by: "\\"))
    text.append(letter.replaced(by: mark))
  }

  /// Writes `\uNNNN`; beyond U+FFFF, the two escapes of a surrogate pair.
  private mutating func writeEscaped(_ letter: Letter) {
    for unit in String(letter.scalar).utf16 {
      let digits = String(unit, radix: 16)
      let escape = "\\u" + FloatText.zeros(4 - digits.utf8.count) + digits
      text.letters += escape.unicodeScalars.map { letter.replaced(by: $0) }
    }
  }
}
