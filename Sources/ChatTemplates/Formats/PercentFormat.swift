// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Python's `format % values`.
struct PercentFormat {
  private let format: Text
  private let interpreter: Interpreter
  private var offset = 0
  private var values: ArraySlice<Value>
  private let mapping: DictionaryValue?
  private var result = Text([])

  static func format(_ format: Text, _ operand: Value, _ interpreter: Interpreter) throws(Fault) -> Text {
    var state = PercentFormat(format, operand, interpreter)
    try state.run()
    return state.result.marked(format.isMarkup)
  }

  private init(_ format: Text, _ operand: Value, _ interpreter: Interpreter) {
    self.format = format
    self.interpreter = interpreter
    switch operand {
    case .tuple(let tuple):
      values = tuple.elements[...]
      mapping = nil
    case .dictionary(let dictionary):
      values = [operand]
      mapping = dictionary
    default:
      values = [operand]
      mapping = nil
    }
  }

  private mutating func run() throws(Fault) {
    var usesMapping = false
    while offset < format.count {
      let letter = format.letters[offset]
      offset += 1
      guard letter == "%" else {
        result.append(letter)
        continue
      }
      try conversion(&usesMapping)
    }
    if !usesMapping && mapping == nil && !values.isEmpty {
      throw Fault(.type, "not all arguments converted during string formatting")
    }
  }

  private func next() throws(Fault) -> Letter {
    guard offset < format.count else { throw Fault(.value, "incomplete format") }
    return format.letters[offset]
  }

  private mutating func value() throws(Fault) -> Value {
    guard let value = values.popFirst() else { throw Fault(.type, "not enough arguments for format string") }
    return value
  }

  private mutating func conversion(_ usesMapping: inout Bool) throws(Fault) {
    var named: Value?
    if try next() == "(" {
      guard let mapping else { throw Fault(.type, "format requires a mapping") }
      guard let end = format.letters[offset...].firstIndex(of: Letter(")")) else {
        throw Fault(.value, "incomplete format key")
      }
      let name = Text(format.letters[(offset + 1)..<end])
      guard let value = mapping.value(named: name) else { throw Fault(.value, name.representation.string) }
      named = value
      usesMapping = true
      offset = end + 1
    }
    var layout = NumberFormat()
    try flags(&layout)
    if let width = try number() {
      layout.width = Int(width.magnitude)
      if width < 0 { layout.alignment = .left }
    }
    if try next() == "." {
      offset += 1
      layout.precision = max(0, try number() ?? 0)
    }
    var type = try next()
    while type == "h" || type == "l" || type == "L" {
      offset += 1
      type = try next()
    }
    offset += 1
    if type == "%" { return result.append("%") }
    try interpreter.budget.take(characters: layout.width)
    let value: Value
    if let named { value = named } else { value = try self.value() }
    result.append(try text(value, type, layout))
  }

  private mutating func flags(_ layout: inout NumberFormat) throws(Fault) {
    while true {
      switch try next().scalar {
      case "#": layout.isAlternate = true
      case "0":
        layout.fill = Letter("0")
        if layout.alignment == nil { layout.alignment = .afterSign }
      case "-": layout.alignment = .left
      case "+": layout.plus = "+"
      case " ": if layout.plus.isEmpty { layout.plus = " " }
      default:
        if layout.alignment == .left { layout.fill = Letter(" ") }
        return
      }
      offset += 1
    }
  }

  /// Reads a width or a precision: digits, or a star that stands for the next value.
  private mutating func number() throws(Fault) -> Int? {
    if try next() == "*" {
      offset += 1
      guard let number = try value().asIndex else { throw Fault(.type, "* wants int") }
      return number
    }
    var number: Int?
    while let letter = try? next(), letter.code >= 0x30, letter.code <= 0x39 {
      number = (number ?? 0) * 10 + Int(letter.code - 0x30)
      guard number ?? 0 < 1 << 31 else { throw Fault(.value, "width too big") }
      offset += 1
    }
    return number
  }

  private func text(_ value: Value, _ type: Letter, _ layout: NumberFormat) throws(Fault) -> Text {
    var layout = layout
    switch type.scalar {
    case "s", "r", "a":
      if layout.alignment == .afterSign || layout.alignment == nil { layout.alignment = .right }
      if layout.fill == "0" { layout.fill = Letter(" ") }
      let text = type == "s" ? try interpreter.text(of: value) : try interpreter.representation(of: value)
      return layout.text(format.isMarkup ? text.escaped().plain : text.plain)
    case "c":
      layout.alignment = layout.alignment == .left ? .left : .right
      if let code = value.asInteger {
        guard let scalar = UInt32(exactly: code).flatMap(Unicode.Scalar.init) else {
          throw Fault(.arithmetic, "%c arg not in range(0x110000)")
        }
        return layout.text(Text([Letter(scalar)]))
      }
      guard case .string(let text) = value, text.count == 1 else { throw Fault(.type, "%c requires int or char") }
      return layout.text(text)
    case "d", "i", "u", "x", "X", "o":
      return try integer(value, type, layout)
    case "e", "E", "f", "F", "g", "G":
      guard value.isNumber else {
        if case .undefined(let undefined) = value { throw undefined.fault }
        throw Fault(.type, "must be real number, not \(value.typeName)")
      }
      layout.type = type.scalar
      return layout.float(value.toFloat)
    default:
      let code = String(type.code, radix: 16)
      throw Fault(.value, "unsupported format character '\(type.scalar)' (0x\(code)) at index \(offset - 1)")
    }
  }

  private func integer(_ value: Value, _ type: Letter, _ layout: NumberFormat) throws(Fault) -> Text {
    var layout = layout
    layout.precision = layout.precision.map { min($0, NumberFormat.greatestPrecision) }
    let isDecimal = type == "d" || type == "i" || type == "u"
    layout.type = isDecimal ? "d" : type.scalar
    if let integer = value.asInteger { return layout.integer(integer) }
    if isDecimal, case .float(let float) = value, let integer = Int128(exactly: float.rounded(.towardZero)) {
      return layout.integer(integer)
    }
    if case .undefined(let undefined) = value { throw undefined.fault }
    let wanted = isDecimal ? "a real number is required" : "an integer is required"
    throw Fault(.type, "%\(type.scalar) format: \(wanted), not \(value.typeName)")
  }
}
