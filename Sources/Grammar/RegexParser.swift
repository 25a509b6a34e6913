// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Turns a regular expression of a schema's `pattern` into a pattern for the JSON text between the quotes.
///
/// It supports what ECMAScript and Python have in common, without look-around, back references and word boundaries. `\d`, `\w` and
/// `\s` and their opposites match only ASCII, where both agree.
struct RegexParser {
  private let source: [Unicode.Scalar]
  private let path: String
  private var position = 0
  private var depth = 0

  /// Returns a pattern for strings in which the expression is found.
  static func pattern(_ expression: String, path: String) throws(GrammarError) -> Pattern {
    var parser = RegexParser(source: Array(expression.unicodeScalars), path: path)
    var choices: [Pattern] = []
    repeat { choices.append(try parser.anchored()) } while parser.take("|")
    guard parser.position == parser.source.count else { throw parser.error("an unbalanced parenthesis") }
    return .choice(choices)
  }

  private init(source: [Unicode.Scalar], path: String) {
    self.source = source
    self.path = path
  }

  private func error(_ problem: String) -> GrammarError {
    .unsupported(keyword: "pattern", path: path, reason: "\(problem), at character \(position + 1)")
  }

  private var peek: Unicode.Scalar? { position < source.count ? source[position] : nil }

  private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
    guard peek == scalar else { return false }
    position += 1
    return true
  }

  /// Parses one top-level alternative. Without an anchor it may match anywhere in the text.
  private mutating func anchored() throws(GrammarError) -> Pattern {
    let anything = Pattern.any(JSONStrings.character)
    var parts: [Pattern] = take("^") ? [] : [anything]
    while let scalar = peek, scalar != "|", scalar != ")", scalar != "$" { parts.append(try quantified(scalar)) }
    if !take("$") { parts.append(anything) }
    guard peek == nil || peek == "|" else { throw error("an anchor within the expression") }
    return .sequence(parts)
  }

  private mutating func alternatives() throws(GrammarError) -> Pattern {
    depth += 1
    defer { depth -= 1 }
    guard depth <= 64 else { throw error("nested more than 64 levels deep") }
    var choices: [Pattern] = []
    repeat {
      var parts: [Pattern] = []
      while let scalar = peek, scalar != "|", scalar != ")" { parts.append(try quantified(scalar)) }
      choices.append(.sequence(parts))
    } while take("|")
    return .choice(choices)
  }

  private mutating func quantified(_ scalar: Unicode.Scalar) throws(GrammarError) -> Pattern {
    let pattern = try atom(scalar)
    var result = pattern
    switch peek {
    case "*": result = .any(pattern)
    case "+": result = .repetition(pattern, minimum: 1, maximum: nil)
    case "?": result = .optional(pattern)
    case "{":
      position += 1
      guard let minimum = number() else { throw error("a brace that is not a repetition") }
      var maximum: Int? = minimum
      if take(",") { maximum = number() }
      guard peek == "}", maximum ?? minimum >= minimum else { throw error("a repetition that is not well formed") }
      result = .repetition(pattern, minimum: minimum, maximum: maximum)
    default: return pattern
    }
    position += 1
    // A lazy quantifier matches the same texts.
    _ = take("?")
    if let next = peek, "*+?{".unicodeScalars.contains(next) { throw error("a quantifier after a quantifier") }
    return result
  }

  private mutating func number() -> Int? {
    var number: Int?
    while let scalar = peek, ("0"..."9").contains(scalar), number ?? 0 < 1 << 20 {
      number = (number ?? 0) * 10 + Int(scalar.value - 0x30)
      position += 1
    }
    return number
  }

  private mutating func atom(_ scalar: Unicode.Scalar) throws(GrammarError) -> Pattern {
    position += 1
    switch scalar {
    case "(":
      if take("?") {
        guard take(":") else { throw error("a group with '?' that is not '(?:'") }
      }
      let inner = try alternatives()
      guard take(")") else { throw error("an unbalanced parenthesis") }
      return inner
    case "[": return try JSONStrings.characters(members(), error: error("a class without characters"))
    case ".":
      return try JSONStrings.characters([0x0A...0x0A].complement.without([0x0D...0x0D, 0x2028...0x2029]), error: error("nothing"))
    case "\\": return try JSONStrings.characters(escape(), error: error("nothing"))
    case "^", "$": throw error("an anchor within the expression")
    case "*", "+", "?", "{": throw error("a quantifier without anything before it")
    default: return try JSONStrings.characters([scalar.value...scalar.value], error: error("nothing"))
    }
  }

  private static let digits: [ClosedRange<UInt32>] = [0x30...0x39]
  private static let word: [ClosedRange<UInt32>] = [0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A]
  private static let space: [ClosedRange<UInt32>] = [0x09...0x0D, 0x20...0x20]
  private static let ascii: [ClosedRange<UInt32>] = [0x20...0x7E]

  /// Parses an escape, and returns the characters that it stands for.
  private mutating func escape() throws(GrammarError) -> [ClosedRange<UInt32>] {
    guard let scalar = peek else { throw error("a backslash at the end") }
    position += 1
    switch scalar {
    case "d": return Self.digits
    case "D": return Self.ascii.without(Self.digits)
    case "w": return Self.word
    case "W": return Self.ascii.without(Self.word)
    case "s": return Self.space
    case "S": return Self.ascii.without(Self.space)
    case "n": return [0x0A...0x0A]
    case "r": return [0x0D...0x0D]
    case "t": return [0x09...0x09]
    case "f": return [0x0C...0x0C]
    case "v": return [0x0B...0x0B]
    case "x": return try hexadecimal(2)
    case "u": return try hexadecimal(4)
    default:
      guard !scalar.properties.isAlphabetic, !("0"..."9").contains(scalar) else { throw error("the escape '\\\(scalar)'") }
      return [scalar.value...scalar.value]
    }
  }

  private mutating func hexadecimal(_ count: Int) throws(GrammarError) -> [ClosedRange<UInt32>] {
    var code: UInt32 = 0
    for _ in 0..<count {
      guard let scalar = peek, let digit = Character(scalar).hexDigitValue else { throw error("an escape without its digits") }
      code = code << 4 | UInt32(digit)
      position += 1
    }
    return [code...code]
  }

  /// Parses the members of a class.
  private mutating func members() throws(GrammarError) -> [ClosedRange<UInt32>] {
    let isNegated = take("^")
    var ranges: [ClosedRange<UInt32>] = []
    var hasNamedClass = false
    while let scalar = peek, scalar != "]" {
      let first = try member(scalar, &hasNamedClass)
      if first.count == 1, first[0].count == 1, peek == "-", position + 1 < source.count, source[position + 1] != "]" {
        position += 1
        let last = try member(source[position], &hasNamedClass)
        guard last.count == 1, last[0].count == 1, first[0].lowerBound <= last[0].lowerBound else {
          throw error("a range that is not well formed")
        }
        ranges.append(first[0].lowerBound...last[0].lowerBound)
      } else {
        ranges += first
      }
    }
    guard take("]") else { throw error("a class that is not closed") }
    guard isNegated else { return ranges }
    // For Python, a named class also has members beyond ASCII, which its opposite must not contain.
    return hasNamedClass ? Self.ascii.without(ranges) : ranges.complement
  }

  private mutating func member(_ scalar: Unicode.Scalar, _ hasNamedClass: inout Bool) throws(GrammarError) -> [ClosedRange<UInt32>]
  {
    position += 1
    guard scalar == "\\" else { return [scalar.value...scalar.value] }
    if let name = peek, "dDwWsS".unicodeScalars.contains(name) { hasNamedClass = true }
    if take("b") { return [0x08...0x08] }
    return try escape()
  }
}

extension [ClosedRange<UInt32>] {
  /// Returns the code points that are not in `others`.
  func without(_ others: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] {
    (complement + others).complement
  }
}
