// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Python's `format.format(values)`.
struct BraceFormat {
  private let arguments: Arguments
  private let interpreter: Interpreter
  private let isMarkup: Bool
  /// The number of the next field without a number. It stays 0 while all fields have numbers.
  private var nextIndex: Int? = 0
  private var hasNumbers = false

  static func format(_ format: Text, _ arguments: Arguments, _ interpreter: Interpreter) throws(Fault) -> Text {
    var state = BraceFormat(arguments: arguments, interpreter: interpreter, isMarkup: format.isMarkup)
    return try state.format(format.letters[...], depth: 0)
  }

  private mutating func format(_ format: ArraySlice<Letter>, depth: Int) throws(Fault) -> Text {
    guard depth < 2 else { throw Fault(.value, "Max string recursion exceeded") }
    var result = Text([])
    var rest = format
    while let letter = rest.popFirst() {
      switch letter.scalar {
      case "{":
        guard rest.first != Letter("{") else {
          result.append(rest.removeFirst())
          continue
        }
        let field = try Self.field(&rest)
        let text = try self.text(of: field, depth: depth)
        try interpreter.budget.take(characters: text.count)
        result.append(text)
      case "}":
        guard rest.first == Letter("}") else { throw Fault(.value, "Single '}' encountered in format string") }
        result.append(rest.removeFirst())
      default: result.append(letter)
      }
    }
    return result
  }

  /// Returns the letters up to the closing brace of a field.
  private static func field(_ rest: inout ArraySlice<Letter>) throws(Fault) -> ArraySlice<Letter> {
    var depth = 1
    var index = rest.startIndex
    while index < rest.endIndex {
      if rest[index] == "{" { depth += 1 }
      if rest[index] == "}" { depth -= 1 }
      if depth == 0 {
        defer { rest = rest[(index + 1)...] }
        return rest[..<index]
      }
      index += 1
    }
    throw Fault(.value, rest.isEmpty ? "Single '{' encountered in format string" : "expected '}' before end of string")
  }

  private mutating func text(of field: ArraySlice<Letter>, depth: Int) throws(Fault) -> Text {
    let nameEnd = field.firstIndex { $0 == "!" || $0 == ":" } ?? field.endIndex
    var value = try value(named: Text(field[..<nameEnd]))
    var rest = field[nameEnd...]
    if rest.first == Letter("!") {
      rest.removeFirst()
      guard let conversion = rest.popFirst(), rest.isEmpty || rest.first == Letter(":") else {
        throw Fault(.value, "expected ':' after conversion specifier")
      }
      switch conversion.scalar {
      case "s": value = .string(try interpreter.text(of: value))
      case "r": value = .string(try interpreter.representation(of: value))
      default: throw Fault(.value, "Unknown conversion specifier '\(conversion.scalar)'")
      }
    }
    let specification = try format(rest.dropFirst(), depth: depth + 1)
    return try text(of: value, specification)
  }

  // MARK: Fields

  private mutating func value(named path: Text) throws(Fault) -> Value {
    var rest = path.letters[...]
    let first = Text(rest.prefix { $0 != "." && $0 != "[" })
    rest = rest.dropFirst(first.count)
    var value = try argument(first)
    while let mark = rest.popFirst() {
      if mark == "." {
        let name = Text(rest.prefix { $0 != "." && $0 != "[" })
        guard !name.isEmpty else { throw Fault(.value, "Empty attribute in format string") }
        rest = rest.dropFirst(name.count)
        value = try interpreter.attribute(name.string, of: value)
      } else {
        guard let end = rest.firstIndex(of: Letter("]")) else { throw Fault(.value, "Missing ']' in format string") }
        let key = Text(rest[..<end])
        rest = rest[(end + 1)...]
        let index = key.letters.allSatisfy(\.isDecimal) ? Int128(key.string) : nil
        value = try interpreter.item(index.map(Value.integer) ?? .string(key), of: value)
      }
    }
    return value
  }

  private mutating func argument(_ name: Text) throws(Fault) -> Value {
    let index: Int
    if name.isEmpty {
      guard let next = nextIndex, !hasNumbers else {
        throw Fault(.value, "cannot switch from manual field specification to automatic field numbering")
      }
      index = next
      nextIndex = next + 1
    } else if name.letters.allSatisfy(\.isDecimal), let number = Int(name.string) {
      guard nextIndex == 0 else {
        throw Fault(.value, "cannot switch from automatic field numbering to manual field specification")
      }
      hasNumbers = true
      index = number
    } else {
      let key = name.string
      guard let found = arguments.keywords.first(where: { $0.name == key }) else {
        throw Fault(.value, name.representation.string)
      }
      return found.value
    }
    guard index < arguments.positional.count else {
      throw Fault(.value, "Replacement index \(index) out of range for positional args tuple")
    }
    return arguments.positional[index]
  }

  // MARK: Format specifications

  private func text(of value: Value, _ specification: Text) throws(Fault) -> Text {
    if specification.isEmpty {
      let text = try interpreter.text(of: value)
      return isMarkup ? text.escaped().plain : text.plain
    }
    let layout = try layout(specification, of: value)
    try interpreter.budget.take(characters: layout.width)
    switch value {
    case .string(let text):
      guard layout.type == nil || layout.type == "s" else { throw unknown(layout, value) }
      return layout.text(isMarkup ? text.escaped().plain : text)
    case .integer, .bool:
      switch layout.type {
      case nil, "d", "n", "b", "o", "x", "X": return layout.integer(value.asInteger ?? 0)
      case "e", "E", "f", "F", "g", "G", "%": return layout.float(value.toFloat)
      case "c":
        guard let scalar = value.asInteger.flatMap(UInt32.init(exactly:)).flatMap(Unicode.Scalar.init) else {
          throw Fault(.arithmetic, "%c arg not in range(0x110000)")
        }
        return layout.text(Text([Letter(scalar)]))
      default: throw unknown(layout, value)
      }
    case .float(let float):
      switch layout.type {
      case nil, "e", "E", "f", "F", "g", "G", "%": return layout.float(float)
      case "n":
        var layout = layout
        layout.type = "g"
        return layout.float(float)
      default: throw unknown(layout, value)
      }
    default: throw Fault(.type, "unsupported format string passed to \(value.typeName).__format__")
    }
  }

  private func unknown(_ layout: NumberFormat, _ value: Value) -> Fault {
    Fault(.value, "Unknown format code '\(layout.type ?? " ")' for object of type '\(value.typeName)'")
  }

  /// `[[fill]align][sign][#][0][width][grouping][.precision][type]`
  private func layout(_ specification: Text, of value: Value) throws(Fault) -> NumberFormat {
    var layout = NumberFormat()
    var rest = specification.letters[...]
    if rest.count > 1, let alignment = NumberFormat.Alignment(rawValue: rest[rest.startIndex + 1].scalar) {
      layout.fill = rest[rest.startIndex]
      layout.alignment = alignment
      rest = rest.dropFirst(2)
    } else if let first = rest.first, let alignment = NumberFormat.Alignment(rawValue: first.scalar) {
      layout.alignment = alignment
      rest = rest.dropFirst()
    }
    if let sign = rest.first, sign == "+" || sign == " " || sign == "-" {
      layout.plus = sign == "-" ? "" : String(sign.scalar)
      rest = rest.dropFirst()
    }
    if rest.first == Letter("#") {
      layout.isAlternate = true
      rest = rest.dropFirst()
    }
    if rest.first == Letter("0") {
      if layout.alignment == nil {
        layout.fill = Letter("0")
        if value.isNumber { layout.alignment = .afterSign }
      }
      rest = rest.dropFirst()
    }
    layout.width = try number(&rest) ?? 0
    if let grouping = rest.first, grouping == "," || grouping == "_" {
      layout.grouping = Character(grouping.scalar)
      rest = rest.dropFirst()
    }
    if rest.first == Letter(".") {
      rest = rest.dropFirst()
      guard let precision = try number(&rest) else { throw Fault(.value, "Format specifier missing precision") }
      layout.precision = precision
    }
    layout.type = rest.popFirst()?.scalar
    guard rest.isEmpty else {
      throw Fault(.value, "Invalid format specifier '\(specification.string)' for object of type '\(value.typeName)'")
    }
    if case .integer = value, layout.precision != nil, layout.type == nil || layout.type == "d" {
      throw Fault(.value, "Precision not allowed in integer format specifier")
    }
    return layout
  }

  private func number(_ rest: inout ArraySlice<Letter>) throws(Fault) -> Int? {
    var number: Int?
    while let letter = rest.first, letter.code >= 0x30, letter.code <= 0x39 {
      number = (number ?? 0) * 10 + Int(letter.code - 0x30)
      guard number ?? 0 < 1 << 31 else { throw Fault(.value, "Too many decimal digits in format string") }
      rest.removeFirst()
    }
    return number
  }
}
