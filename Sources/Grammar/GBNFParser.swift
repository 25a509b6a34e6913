// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

extension Grammar {
  /// Compiles a grammar in llama.cpp's notation GBNF: `rule ::= "text" [a-z] (a | b)* c{2,3}`. The root is the rule `root`.
  ///
  /// - Throws: `GrammarError`; a syntax error has line and column.
  public init(gbnf source: String) throws(GrammarError) {
    try Self.checkLength(source.utf8.count)
    var parser = GBNFParser(source)
    try parser.rules()
    for (index, isDefined) in parser.defined.enumerated() where !isDefined { throw .undefinedRule(parser.names[index]) }
    guard let root = parser.numbers["root"] else { throw .undefinedRule("root") }
    try self.init(patterns: parser.patterns, names: parser.names, root: root)
    if isEmpty { throw .syntax(problem: "no finite text matches the rule 'root'", line: 1, column: 1) }
  }
}

/// Reads GBNF by recursive descent.
private struct GBNFParser {
  private let source: [Unicode.Scalar]
  private var position = 0
  private var depth = 0
  private(set) var names: [String] = []
  /// The number of each rule, by its name.
  private(set) var numbers: [String: Int] = [:]
  private(set) var patterns: [Pattern] = []
  private(set) var defined: [Bool] = []

  init(_ source: String) { self.source = Array(source.unicodeScalars) }

  private func error(_ problem: String) -> GrammarError {
    let before = source[..<min(position, source.count)]
    let lineStart = before.lastIndex(of: "\n").map { $0 + 1 } ?? 0
    return .syntax(problem: problem, line: before.count { $0 == "\n" } + 1, column: position - lineStart + 1)
  }

  private var peek: Unicode.Scalar? { position < source.count ? source[position] : nil }

  private mutating func take(_ text: String) -> Bool {
    let scalars = Array(text.unicodeScalars)
    guard source[position...].starts(with: scalars) else { return false }
    position += scalars.count
    return true
  }

  /// Skips blanks and comments, and newlines where they have no meaning.
  private mutating func skip(newlines: Bool) {
    while let scalar = peek {
      if scalar == "#" {
        while let scalar = peek, scalar != "\n" {
          _ = scalar
          position += 1
        }
      } else if scalar == " " || scalar == "\t" || (newlines && (scalar == "\n" || scalar == "\r")) {
        position += 1
      } else {
        return
      }
    }
  }

  private mutating func name() throws(GrammarError) -> Int {
    var name = ""
    while let scalar = peek,
      scalar == "-" || scalar == "_" || scalar.properties.isAlphabetic || scalar.properties.numericType != nil
    {
      name.unicodeScalars.append(scalar)
      position += 1
    }
    guard !name.isEmpty else { throw error("the name of a rule is expected") }
    if let number = numbers[name] { return number }
    numbers[name] = names.count
    names.append(name)
    patterns.append(.empty)
    defined.append(false)
    return names.count - 1
  }

  mutating func rules() throws(GrammarError) {
    skip(newlines: true)
    while peek != nil {
      let rule = try name()
      skip(newlines: false)
      guard take("::=") else { throw error("'::=' is expected after the name of a rule") }
      skip(newlines: true)
      guard !defined[rule] else { throw error("the rule '\(names[rule])' is defined twice") }
      defined[rule] = true
      patterns[rule] = try alternatives(isNested: false)
      guard peek == nil || peek == "\n" || peek == "\r" else { throw error("the end of the rule is expected") }
      skip(newlines: true)
    }
  }

  private mutating func alternatives(isNested: Bool) throws(GrammarError) -> Pattern {
    var choices = [try sequence(isNested: isNested)]
    while peek == "|" {
      position += 1
      skip(newlines: true)
      choices.append(try sequence(isNested: isNested))
    }
    return choices.count == 1 ? choices[0] : .choice(choices)
  }

  private mutating func sequence(isNested: Bool) throws(GrammarError) -> Pattern {
    var parts: [Pattern] = []
    while let scalar = peek, scalar != "|", scalar != ")", isNested || (scalar != "\n" && scalar != "\r") {
      parts.append(try quantified(primary(scalar)))
      skip(newlines: isNested)
    }
    return parts.count == 1 ? parts[0] : .sequence(parts)
  }

  private mutating func primary(_ scalar: Unicode.Scalar) throws(GrammarError) -> Pattern {
    switch scalar {
    case "\"":
      position += 1
      var text = ""
      while peek != "\"" { text.unicodeScalars.append(try character("a string")) }
      position += 1
      return .text(text)
    case "[":
      position += 1
      return try characterClass()
    case "(":
      position += 1
      depth += 1
      guard depth <= 64 else { throw error("nested more than 64 levels deep") }
      skip(newlines: true)
      let inner = try alternatives(isNested: true)
      guard take(")") else { throw error("a closing parenthesis is expected") }
      depth -= 1
      return inner
    case ".":
      position += 1
      return .characters([0...0x10FFFF])
    default: return .rule(try name())
    }
  }

  private mutating func character(_ place: String) throws(GrammarError) -> Unicode.Scalar {
    guard let scalar = peek, scalar != "\n" else { throw error("\(place) is not closed") }
    position += 1
    guard scalar == "\\" else { return scalar }
    guard let escape = peek else { throw error("\(place) is not closed") }
    position += 1
    switch escape {
    case "n": return "\n"
    case "r": return "\r"
    case "t": return "\t"
    case "\\", "\"", "[", "]", "-", "^": return escape
    case "x": return try hexadecimal(2)
    case "u": return try hexadecimal(4)
    case "U": return try hexadecimal(8)
    default: throw error("an escape that GBNF does not have")
    }
  }

  private mutating func hexadecimal(_ count: Int) throws(GrammarError) -> Unicode.Scalar {
    var code: UInt32 = 0
    for _ in 0..<count {
      guard let scalar = peek, let digit = Character(scalar).hexDigitValue else {
        throw error("\(count) hexadecimal digits are expected")
      }
      code = code << 4 | UInt32(digit)
      position += 1
    }
    guard let scalar = Unicode.Scalar(code) else { throw error("not a Unicode character") }
    return scalar
  }

  private mutating func characterClass() throws(GrammarError) -> Pattern {
    let isNegated = take("^")
    var ranges: [ClosedRange<UInt32>] = []
    while peek != "]" {
      let first = try character("a class of characters").value
      var last = first
      if peek == "-", position + 1 < source.count, source[position + 1] != "]" {
        position += 1
        last = try character("a class of characters").value
      }
      guard first <= last else { throw error("a range of characters that ends before it begins") }
      ranges.append(first...last)
    }
    position += 1
    let members = isNegated ? ranges.complement : ranges
    guard !members.isEmpty else { throw error("a class without characters") }
    return .characters(members)
  }

  private mutating func quantified(_ pattern: Pattern) throws(GrammarError) -> Pattern {
    switch peek {
    case "*":
      position += 1
      return .any(pattern)
    case "+":
      position += 1
      return .repetition(pattern, minimum: 1, maximum: nil)
    case "?":
      position += 1
      return .optional(pattern)
    case "{":
      position += 1
      let minimum = number() ?? 0
      var maximum: Int? = minimum
      if take(",") { maximum = number() }
      guard take("}") else { throw error("'{m}', '{m,}' or '{m,n}' is expected") }
      guard maximum ?? minimum >= minimum else { throw error("a repetition that ends before it begins") }
      return .repetition(pattern, minimum: minimum, maximum: maximum)
    default: return pattern
    }
  }

  private mutating func number() -> Int? {
    var number: Int?
    while let scalar = peek, let digit = Character(scalar).wholeNumberValue, number ?? 0 < 1 << 20 {
      number = (number ?? 0) * 10 + digit
      position += 1
    }
    return number
  }
}

extension [ClosedRange<UInt32>] {
  /// The ranges of all other code points.
  var complement: [ClosedRange<UInt32>] {
    var result: [ClosedRange<UInt32>] = []
    var next: UInt32 = 0
    for range in sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if range.lowerBound > next { result.append(next...range.lowerBound - 1) }
      next = Swift.max(next, range.upperBound + 1)
    }
    if next <= 0x10FFFF { result.append(next...0x10FFFF) }
    return result
  }
}
