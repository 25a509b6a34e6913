// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Divides a template into tokens, one at a time, with Jinja2's rules for white space under `trim_blocks` and `lstrip_blocks`: the
/// first newline after a block tag is removed, and so are blanks between the beginning of a line and a block tag.
struct Lexer {
  private enum State { case text, comment, block, variable, raw }

  let source: [Letter]
  private(set) var offset = 0
  private var line = 1
  private var lineStart = 0
  private var state = State.text
  /// Whether the last thing read ended with a newline, so that a new line begins.
  private var isAtLineStart = true
  /// The closing brackets that must still come in a tag.
  private var openBrackets: [Unicode.Scalar] = []

  /// Replaces all three kinds of newlines by `\n`, and removes one at the end.
  init(_ template: String) {
    var letters: [Letter] = []
    var last: Unicode.Scalar?
    for scalar in template.unicodeScalars {
      if scalar == "\r" {
        letters.append(Letter("\n"))
      } else if !(scalar == "\n" && last == "\r") {
        letters.append(Letter(scalar))
      }
      last = scalar
    }
    if letters.last == Letter("\n") { letters.removeLast() }
    source = letters
  }

  /// Returns the next token; at the end of the template, always `.end`.
  mutating func next() throws(JinjaError) -> Token {
    while true {
      let token: Token?
      switch state {
      case .text: token = text()
      case .comment: token = try comment()
      case .raw: token = try raw()
      case .block, .variable: token = try tagToken()
      }
      if let token { return token }
      if offset >= source.count { return Token(kind: .end, position: position) }
    }
  }

  // MARK: Ground

  private var position: TemplatePosition { TemplatePosition(line: line, column: offset - lineStart + 1) }

  func error(_ message: String) -> JinjaError { JinjaError(kind: .syntax, message: message, position: position) }

  private func starts(with text: StaticString, at index: Int) -> Bool {
    var index = index
    for byte in text.description.utf8 {
      guard index < source.count, source[index].code == UInt32(byte) else { return false }
      index += 1
    }
    return true
  }

  private func peek(_ distance: Int = 0) -> Letter? {
    offset + distance < source.count ? source[offset + distance] : nil
  }

  /// Moves to an offset, and counts the lines up to it.
  private mutating func advance(to end: Int) {
    guard end > offset else { return }
    for index in offset..<end where source[index] == "\n" {
      line += 1
      lineStart = index + 1
    }
    isAtLineStart = source[end - 1] == "\n"
    offset = end
  }

  private func endOfSpace(from index: Int) -> Int {
    var index = index
    while index < source.count && source[index].isSpace { index += 1 }
    return index
  }

  // MARK: Text, comments and raw text

  private mutating func text() -> Token? {
    guard offset < source.count else { return nil }
    var begin = offset
    while begin < source.count, !(source[begin] == "{" && isTagBegin(at: begin)) { begin += 1 }
    guard begin < source.count else { return data(upTo: begin, keeping: begin) }

    if let end = endOfRawBegin(at: begin) {
      let token = data(upTo: begin, keeping: trimmedEnd(before: begin, sign: sign(at: begin + 2), isVariable: false))
      advance(to: end)
      state = .raw
      return token
    }
    let isVariable = source[begin + 1] == "{"
    let token = data(upTo: begin, keeping: trimmedEnd(before: begin, sign: sign(at: begin + 2), isVariable: isVariable))
    if let token { return token }
    let start = position
    advance(to: begin + (sign(at: begin + 2) == nil ? 2 : 3))
    switch source[begin + 1] {
    case Letter("#"):
      state = .comment
      return nil
    case Letter("%"):
      state = .block
      return Token(kind: .blockBegin, position: start)
    default:
      state = .variable
      return Token(kind: .variableBegin, position: start)
    }
  }

  private func isTagBegin(at index: Int) -> Bool {
    guard index + 1 < source.count else { return false }
    return source[index + 1] == "{" || source[index + 1] == "%" || source[index + 1] == "#"
  }

  private func sign(at index: Int) -> Unicode.Scalar? {
    guard index < source.count, source[index] == "-" || source[index] == "+" else { return nil }
    return source[index].scalar
  }

  /// Returns where the text before a tag ends, after the white space that the tag removes.
  private func trimmedEnd(before tag: Int, sign: Unicode.Scalar?, isVariable: Bool) -> Int {
    if sign == "-" {
      var end = tag
      while end > offset && source[end - 1].isSpace { end -= 1 }
      return end
    }
    guard sign == nil, !isVariable else { return tag }
    let lineBegin = source[offset..<tag].lastIndex(of: Letter("\n")).map { $0 + 1 }
    guard let start = lineBegin ?? (isAtLineStart ? offset : nil), source[start..<tag].allSatisfy(\.isSpace) else { return tag }
    return start
  }

  /// Returns the text up to `end`, of which only the part up to `keptEnd` is kept; nil if that is empty.
  private mutating func data(upTo end: Int, keeping keptEnd: Int) -> Token? {
    let token = Token(kind: .data, position: position, text: Array(source[offset..<keptEnd]))
    // Whether the tag begins a line was determined before this call, because the call changes `isAtLineStart`.
    advance(to: end)
    return token.text.isEmpty ? nil : token
  }

  /// Returns the end of `{% raw %}` if it is at `begin`. Unlike other tags, it does not remove the newline after it.
  private func endOfRawBegin(at begin: Int) -> Int? {
    guard starts(with: "{%", at: begin) else { return nil }
    var index = endOfSpace(from: begin + (sign(at: begin + 2) == nil ? 2 : 3))
    guard starts(with: "raw", at: index) else { return nil }
    index = endOfSpace(from: index + 3)
    if starts(with: "-%}", at: index) { return endOfSpace(from: index + 3) }
    return starts(with: "%}", at: index) ? index + 2 : nil
  }

  private mutating func comment() throws(JinjaError) -> Token? {
    guard offset < source.count else { return nil }
    for index in offset..<source.count {
      guard let end = endOfTag("#}", at: index) else { continue }
      advance(to: end)
      state = .text
      return nil
    }
    throw error("Missing end of comment tag")
  }

  private mutating func raw() throws(JinjaError) -> Token? {
    guard offset < source.count else { return nil }
    for index in offset..<source.count where starts(with: "{%", at: index) {
      let sign = sign(at: index + 2)
      let word = endOfSpace(from: index + (sign == nil ? 2 : 3))
      guard starts(with: "endraw", at: word), let end = endOfTag("%}", at: endOfSpace(from: word + 6)) else { continue }
      let token = data(upTo: index, keeping: trimmedEnd(before: index, sign: sign, isVariable: false))
      advance(to: end)
      state = .text
      return token
    }
    throw error("Missing end of raw directive")
  }

  /// Returns the end of a tag whose closing mark, possibly with a sign, is at `index`, including the white space or newline that
  /// the tag removes.
  private func endOfTag(_ mark: StaticString, at index: Int) -> Int? {
    if starts(with: mark, at: index) {
      let end = index + mark.utf8CodeUnitCount
      return starts(with: "\n", at: end) ? end + 1 : end
    }
    guard starts(with: mark, at: index + 1) else { return nil }
    let end = index + 1 + mark.utf8CodeUnitCount
    if source[index] == "+" { return end }
    return source[index] == "-" ? endOfSpace(from: end) : nil
  }

  // MARK: Inside tags

  private mutating func tagToken() throws(JinjaError) -> Token? {
    if openBrackets.isEmpty, let end = tagEnd() {
      let token = Token(kind: state == .block ? .blockEnd : .variableEnd, position: position)
      advance(to: end)
      state = .text
      return token
    }
    advance(to: endOfSpace(from: offset))
    guard let letter = peek() else { return nil }
    if openBrackets.isEmpty, tagEnd() != nil { return nil }
    if letter.code < 0x80 && letter.isDecimal { return try number() }
    if letter == "_" || letter.isAlphanumeric { return try name() }
    if letter == "'" || letter == "\"", let end = endOfString() { return try string(upTo: end) }
    return try symbol()
  }

  private func tagEnd() -> Int? {
    if state == .block { return endOfTag("%}", at: offset) }
    if starts(with: "}}", at: offset) { return offset + 2 }
    return starts(with: "-}}", at: offset) ? endOfSpace(from: offset + 3) : nil
  }

  private mutating func name() throws(JinjaError) -> Token {
    var end = offset
    while end < source.count && (source[end] == "_" || source[end].isAlphanumeric || isNameMark(source[end])) { end += 1 }
    let start = position
    let name = Text(source[offset..<end]).string
    let isIdentifier = name.unicodeScalars.enumerated().allSatisfy {
      $1 == "_" || ($0 == 0 ? $1.properties.isXIDStart : $1.properties.isXIDContinue)
    }
    guard isIdentifier else { throw error("Invalid character in identifier") }
    advance(to: end)
    return Token(kind: .name, position: start, name: name)
  }

  /// Whether a letter is a mark that combines with letters, which can also be part of a name.
  private func isNameMark(_ letter: Letter) -> Bool {
    letter.code >= 0x80 && letter.scalar.properties.isXIDContinue
  }

  private mutating func symbol() throws(JinjaError) -> Token {
    let kinds: [Token.Kind] = [2, 1].compactMap { length in
      guard offset + length <= source.count else { return nil }
      return Token.Kind(rawValue: Text(source[offset..<offset + length]).string)
    }
    guard let kind = kinds.first else {
      throw error("unexpected char \(Text([source[offset]]).representation.string) at \(offset)")
    }
    switch kind {
    case .leftBrace: openBrackets.append("}")
    case .leftParenthesis: openBrackets.append(")")
    case .leftBracket: openBrackets.append("]")
    case .rightBrace, .rightParenthesis, .rightBracket:
      guard let expected = openBrackets.popLast() else { throw error("unexpected '\(kind.rawValue)'") }
      guard String(expected) == kind.rawValue else { throw error("unexpected '\(kind.rawValue)', expected '\(expected)'") }
    default: break
    }
    let token = Token(kind: kind, position: position)
    advance(to: offset + kind.rawValue.utf8.count)
    return token
  }

  // MARK: Literals

  /// Returns the end of the string that begins here, after its closing quote; nil if it is not closed.
  private func endOfString() -> Int? {
    var index = offset + 1
    while index < source.count {
      if source[index] == source[offset] { return index + 1 }
      index += source[index] == "\\" ? 2 : 1
    }
    return nil
  }

  private mutating func string(upTo end: Int) throws(JinjaError) -> Token {
    let text: [Letter]
    do throws(Fault) {
      text = try StringLiteral.value(of: source[(offset + 1)..<(end - 1)])
    } catch {
      throw error.at(position)
    }
    let token = Token(kind: .string, position: position, text: text)
    advance(to: end)
    return token
  }

  private mutating func number() throws(JinjaError) -> Token {
    let start = position
    let follows = offset > 0 && source[offset - 1] == "."
    if !follows, let end = endOfFloat() {
      let text = Text(source[offset..<end]).string.filter { $0 != "_" }
      guard let float = Double(text) else { throw error("a number is expected") }
      advance(to: end)
      return Token(kind: .float, position: start, float: float)
    }
    let (end, radix) = endOfInteger()
    let text = Text(source[(offset + (radix == 10 ? 0 : 2))..<end]).string.filter { $0 != "_" }
    guard let integer = Int128(text, radix: radix) else { throw error("an integer of more than 128 bits is not supported") }
    advance(to: end)
    return Token(kind: .integer, position: start, integer: integer)
  }

  /// Returns the end of digits in a base, with single underscores before digits: `(_?digit)*`.
  private func endOfDigits(from index: Int, base: UInt32) -> Int {
    func isDigit(_ index: Int) -> Bool {
      guard index < source.count, let value = source[index].hexadecimalValue else { return false }
      return value < base
    }
    var index = index
    while true {
      if isDigit(index) {
        index += 1
      } else if index < source.count, source[index] == "_", isDigit(index + 1) {
        index += 2
      } else {
        return index
      }
    }
  }

  private func endOfInteger() -> (end: Int, radix: Int) {
    if source[offset] == "0", let letter = peek(1) {
      for (mark, radix) in [("b", 2), ("o", 8), ("x", 16)] as [(Unicode.Scalar, Int)]
      where letter.code | 0x20 == mark.value {
        let end = endOfDigits(from: offset + 2, base: UInt32(radix))
        if end > offset + 2 { return (end, radix) }
      }
    }
    // A leading zero may be followed only by zeros.
    return (endOfDigits(from: offset, base: source[offset] == "0" ? 1 : 10), 10)
  }

  private func endOfFloat() -> Int? {
    var end = endOfDigits(from: offset, base: 10)
    var isFloat = false
    if end < source.count, source[end] == ".", let fraction = endOfWholeDigits(from: end + 1) {
      end = fraction
      isFloat = true
    }
    if end < source.count, source[end].code | 0x20 == 0x65 {
      let hasSign = end + 1 < source.count && (source[end + 1] == "+" || source[end + 1] == "-")
      if let exponent = endOfWholeDigits(from: end + (hasSign ? 2 : 1)) {
        end = exponent
        isFloat = true
      }
    }
    return isFloat ? end : nil
  }

  private func endOfWholeDigits(from start: Int) -> Int? {
    guard start < source.count, source[start] != "_" else { return nil }
    let end = endOfDigits(from: start, base: 10)
    return end > start ? end : nil
  }
}
