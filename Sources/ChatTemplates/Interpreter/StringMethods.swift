// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The methods of Python's `str`.
enum StringMethods {
  static let names: Set<String> = [
    "capitalize", "casefold", "center", "count", "encode", "endswith", "expandtabs", "find", "format", "format_map", "index",
    "isalnum", "isalpha", "isascii", "isdecimal", "isdigit", "isidentifier", "islower", "isnumeric", "isprintable", "isspace",
    "istitle", "isupper", "join", "ljust", "lower", "lstrip", "maketrans", "partition", "removeprefix", "removesuffix", "replace",
    "rfind", "rindex", "rjust", "rpartition", "rsplit", "rstrip", "split", "splitlines", "startswith", "strip", "swapcase", "title",
    "translate", "upper", "zfill",
  ]

  static func call(
    _ name: String, _ text: Text, _ arguments: Arguments, _ interpreter: Interpreter
  ) throws(Fault) -> Value {
    // Every method visits the text once, and makes about as much text.
    try interpreter.budget.take(characters: text.count)
    let call = StringCall(name: name, text: text, arguments: arguments, interpreter: interpreter)
    switch name {
    case "split", "rsplit", "splitlines", "partition", "rpartition": return try call.splitting()
    case "strip", "lstrip", "rstrip", "removeprefix", "removesuffix": return try call.trimming()
    case "find", "rfind", "index", "rindex", "count", "startswith", "endswith": return try call.searching()
    case "center", "ljust", "rjust", "zfill", "expandtabs": return try call.padding()
    case "replace", "join", "format", "format_map": return try call.composing()
    case "encode", "maketrans", "translate": throw Fault(.unsupported, "the method '\(name)' of str is not supported")
    default:
      _ = try arguments.bound(to: [], in: "str.\(name)")
      if let test = test(name, text) { return .bool(test) }
      return .string(changingCase(name, text).marked(text.isMarkup))
    }
  }

  private static func changingCase(_ name: String, _ text: Text) -> Text {
    switch name {
    case "upper": text.uppercased()
    case "lower": text.lowercased()
    case "title": text.titled()
    case "capitalize": text.capitalized()
    case "swapcase": text.swappedCase()
    default: text.caseFolded()
    }
  }

  static func test(_ name: String, _ text: Text) -> Bool? {
    let letters = text.letters
    func all(_ test: (Letter) -> Bool) -> Bool { !letters.isEmpty && letters.allSatisfy(test) }
    switch name {
    case "isalnum": return all(\.isAlphanumeric)
    case "isalpha": return all(\.isAlphabetic)
    case "isascii": return letters.allSatisfy { $0.code < 0x80 }
    case "isdecimal": return all(\.isDecimal)
    case "isdigit": return all(\.isDigit)
    case "isnumeric": return all(\.isNumeric)
    case "isspace": return all(\.isSpace)
    case "isprintable": return letters.allSatisfy(\.isPrintable)
    case "islower": return letters.contains(where: \.isLowercase) && !letters.contains { $0.isUppercase || $0.isTitlecase }
    case "isupper": return letters.contains(where: \.isUppercase) && !letters.contains { $0.isLowercase || $0.isTitlecase }
    case "istitle": return isTitle(letters)
    case "isidentifier":
      guard let first = letters.first, first == "_" || first.scalar.properties.isXIDStart else { return false }
      return letters.dropFirst().allSatisfy { $0.scalar.properties.isXIDContinue }
    default: return nil
    }
  }

  private static func isTitle(_ letters: [Letter]) -> Bool {
    var isInWord = false
    var hasWord = false
    for letter in letters {
      if letter.isUppercase || letter.isTitlecase {
        if isInWord { return false }
        isInWord = true
        hasWord = true
      } else if letter.isLowercase {
        guard isInWord else { return false }
      } else {
        isInWord = false
      }
    }
    return hasWord
  }
}

/// One call of a string method.
private struct StringCall {
  let name: String
  let text: Text
  let arguments: Arguments
  let interpreter: Interpreter

  /// Returns the arguments in the order of the parameters; nil for those that are not given.
  func bound(_ names: [String], required: Int = 0) throws(Fault) -> [Value?] {
    try arguments.bound(to: names, required: required, in: "str.\(name)")
  }

  /// Returns an argument that must be a string.
  func string(_ value: Value?) throws(Fault) -> Text {
    guard let value, case .string(let text) = value else {
      throw Fault(.type, "\(name)() argument must be str, not \((value ?? .none).typeName)")
    }
    return text
  }

  /// Returns a string of the same kind (markup or not) as the receiver.
  func result(_ text: Text) -> Value { .string(text.marked(self.text.isMarkup)) }

  func list(_ parts: [Text]) throws(Fault) -> Value {
    // Each part is a separate string, which costs more than an element.
    try interpreter.budget.take(steps: 4 * parts.count)
    return try interpreter.makeList(parts.map(result))
  }

  // MARK: Parts

  func splitting() throws(Fault) -> Value {
    switch name {
    case "splitlines": return try list(text.lines(keepingEnds: bound(["keepends"])[0].isTrue(or: false)))
    case "partition", "rpartition": return try partition(string(bound(["sep"], required: 1)[0]))
    default: break
    }
    let values = try bound(["sep", "maxsplit"])
    let limit = try values[1].integer(or: -1, "maxsplit")
    let count = limit < 0 ? .max : limit
    if values[0]?.isNone ?? true {
      return try list(name == "split" ? text.splitAtSpace(limit: count) : text.splitAtSpaceFromRight(limit: count))
    }
    let separator = try string(values[0])
    guard !separator.isEmpty else { throw Fault(.value, "empty separator") }
    return try list(
      name == "split" ? text.split(by: separator, limit: count) : text.splitFromRight(by: separator, limit: count))
  }

  private func partition(_ separator: Text) throws(Fault) -> Value {
    guard !separator.isEmpty else { throw Fault(.value, "empty separator") }
    let whole = 0..<text.count
    let found = name == "partition" ? text.firstIndex(of: separator, in: whole) : text.lastIndex(of: separator, in: whole)
    guard let found else {
      let parts: [Text] = name == "partition" ? [text, "", ""] : ["", "", text]
      return try interpreter.makeTuple(parts.map(result))
    }
    let end = found + separator.count
    return try interpreter.makeTuple(
      [Text(text.letters[..<found]), Text(text.letters[found..<end]), Text(text.letters[end...])].map(result))
  }

  func trimming() throws(Fault) -> Value {
    if name == "removeprefix" || name == "removesuffix" {
      let affix = try string(bound(["affix"], required: 1)[0])
      if name == "removeprefix" { return result(text.hasPrefix(affix) ? Text(text.letters[affix.count...]) : text) }
      return result(text.hasSuffix(affix) ? Text(text.letters[..<(text.count - affix.count)]) : text)
    }
    let value = try bound(["chars"])[0]
    let set = value?.isNone ?? true ? nil : try string(value)
    return result(text.stripped(set, name == "strip" ? .both : name == "lstrip" ? .left : .right))
  }

  // MARK: Searching

  /// Returns the part of the text that two optional arguments select; nil if it would begin after its end.
  private func range(_ start: Value?, _ end: Value?) throws(Fault) -> Range<Int>? {
    func offset(_ value: Value?, _ standard: Int) throws(Fault) -> Int {
      guard let value, !value.isNone else { return standard }
      let index = try Optional(value).integer(or: standard, "index")
      return index < 0 ? max(0, index + text.count) : index
    }
    let start = try offset(start, 0)
    let end = min(try offset(end, text.count), text.count)
    return start <= end ? start..<end : nil
  }

  func searching() throws(Fault) -> Value {
    let values = try bound(["sub", "start", "end"], required: 1)
    let range = try range(values[1], values[2])
    if name == "startswith" || name == "endswith" { return .bool(try hasAffix(values[0] ?? .none, range)) }
    let needle = try string(values[0])
    if name == "count" {
      guard let range else { return .integer(0) }
      if needle.isEmpty { return .integer(Int128(range.count + 1)) }
      return .integer(Int128(Text(text.letters[range]).indices(of: needle).count))
    }
    let isBackwards = name == "rfind" || name == "rindex"
    let found = range.flatMap { isBackwards ? text.lastIndex(of: needle, in: $0) : text.firstIndex(of: needle, in: $0) }
    if found == nil && (name == "index" || name == "rindex") { throw Fault(.value, "substring not found") }
    return .integer(Int128(found ?? -1))
  }

  private func hasAffix(_ value: Value, _ range: Range<Int>?) throws(Fault) -> Bool {
    var affixes: [Text] = []
    switch value {
    case .string(let affix): affixes = [affix]
    case .tuple(let tuple): for element in tuple.elements { affixes.append(try string(element)) }
    default: throw Fault(.type, "\(name) first arg must be str or a tuple of str, not \(value.typeName)")
    }
    guard let range else { return false }
    return affixes.contains { name == "startswith" ? text.hasPrefix($0, in: range) : text.hasSuffix($0, in: range) }
  }

  // MARK: Padding

  func padding() throws(Fault) -> Value {
    if name == "expandtabs" { return try expandingTabs() }
    let values = try bound(name == "zfill" ? ["width"] : ["width", "fillchar"], required: 1)
    let width = try values[0].integer(or: 0, "width")
    let missing = max(0, width - text.count)
    try interpreter.budget.take(characters: missing)
    if name == "zfill" {
      let hasSign = text.letters.first.map { $0 == "-" || $0 == "+" } ?? false
      let sign = hasSign ? text.letters[..<1] : []
      return result(Text(sign + [Letter](repeating: Letter("0"), count: missing) + text.letters[sign.count...]))
    }
    let fill = try values[1].map { (value) throws(Fault) in try string(value) } ?? " "
    guard fill.count == 1 else { throw Fault(.type, "The fill character must be exactly one character long") }
    return result(text.padded(missing: missing, with: fill.letters[0], name == "ljust" ? .right : name == "rjust" ? .left : .both))
  }

  private func expandingTabs() throws(Fault) -> Value {
    let size = try bound(["tabsize"])[0].integer(or: 8, "tabsize")
    var expanded: [Letter] = []
    var column = 0
    for letter in text.letters {
      guard letter == "\t" else {
        expanded.append(letter)
        column = letter == "\n" || letter == "\r" ? 0 : column + 1
        continue
      }
      let blanks = size > 0 ? size - column % size : 0
      try interpreter.budget.take(characters: blanks)
      expanded += [Letter](repeating: letter.replaced(by: " "), count: blanks)
      column += blanks
    }
    return result(Text(expanded))
  }

  // MARK: Composing

  func composing() throws(Fault) -> Value {
    switch name {
    case "replace":
      let values = try bound(["old", "new", "count"], required: 2)
      let limit = try values[2].integer(or: -1, "count")
      return try interpreter.replace(text, string(values[0]), string(values[1]), limit: limit)
    case "join":
      var parts: [Text] = []
      for (index, element) in try interpreter.elements(of: bound(["iterable"], required: 1)[0] ?? .none).enumerated() {
        guard case .string(let part) = element else {
          throw Fault(.type, "sequence item \(index): expected str instance, \(element.typeName) found")
        }
        parts.append(text.isMarkup ? part.escaped() : part)
      }
      return try interpreter.join(parts, separator: text)
    case "format_map":
      let values = try bound(["mapping"], required: 1)
      guard case .dictionary(let mapping) = values[0] ?? .none else { throw Fault(.type, "format_map() takes a mapping") }
      let keywords = mapping.entries.compactMap { entry in entry.key.asText.map { ($0.string, entry.value) } }
      return try result(BraceFormat.format(text, Arguments(keywords: keywords), interpreter))
    default: return try result(BraceFormat.format(text, arguments, interpreter))
    }
  }
}

extension Text {
  /// Returns the text with `missing` letters added on one side, or divided between both sides.
  func padded(missing: Int, with fill: Letter, _ side: Side) -> Text {
    let left: Int
    switch side {
    case .left: left = missing
    case .right: left = 0
    // If the number is odd, Python puts the additional letter on the left if the width is odd, too.
    case .both: left = missing / 2 + (missing & (missing + count) & 1)
    }
    return Text([Letter](repeating: fill, count: left) + letters + [Letter](repeating: fill, count: missing - left))
  }
}

extension Interpreter {
  func replace(_ text: Text, _ old: Text, _ new: Text, limit: Int) throws(Fault) -> Value {
    let new = text.isMarkup ? new.escaped() : new
    let count = limit < 0 ? Int.max : limit
    let places = old.isEmpty ? min(count, text.count + 1) : text.indices(of: old, limit: count).count
    try budget.take(characters: text.count + places * max(0, new.count - old.count))
    return .string(text.replacing(old, with: new, limit: count).marked(text.isMarkup))
  }

  func join(_ parts: [Text], separator: Text) throws(Fault) -> Value {
    try budget.take(characters: parts.reduce(0) { $0 + $1.count + separator.count })
    return .string(Text.joined(parts, separator: separator).marked(separator.isMarkup))
  }
}
