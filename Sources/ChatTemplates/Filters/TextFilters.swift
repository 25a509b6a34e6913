// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Filters that return text.
extension FilterCall {
  /// The value as text, for filters that accept any value.
  private var subject: Text {
    get throws(Fault) { try interpreter.text(of: value) }
  }

  func text() throws(Fault) -> Value {
    let subject = try subject
    try interpreter.budget.take(characters: subject.count)
    switch name {
    case "string":
      try takesNothing()
      return .string(subject)
    case "safe":
      try takesNothing()
      return .string(subject.marked(true))
    case "escape", "e":
      try takesNothing()
      return .string(subject.escaped())
    case "forceescape":
      try takesNothing()
      return .string(subject.plain.escaped())
    case "upper", "lower", "capitalize":
      try takesNothing()
      let changed = name == "upper" ? subject.uppercased() : name == "lower" ? subject.lowercased() : subject.capitalized()
      return .string(changed.marked(subject.isMarkup))
    case "title": return .string(Self.titled(subject))
    case "trim":
      let set = try bound(["chars"])[0]
      return .string(subject.stripped(set?.isNone ?? true ? nil : try string(set), .both).marked(subject.isMarkup))
    case "replace":
      let values = try bound(["old", "new", "count"], required: 2)
      let limit = values[2]?.isNone ?? true ? -1 : try values[2].integer(or: -1, "count")
      let old = try interpreter.text(of: values[0] ?? .none)
      return try interpreter.replace(subject.plain, old, interpreter.text(of: values[1] ?? .none), limit: limit)
    case "join": return try join()
    case "indent": return try indent()
    case "center":
      let width = try bound(["width"])[0].integer(or: 80, "width")
      let missing = max(0, width - subject.count)
      try interpreter.budget.take(characters: missing)
      return .string(subject.padded(missing: missing, with: Letter(" "), .both))
    case "format": return try format(subject)
    case "truncate": return try truncate()
    case "wordwrap": return try wordWrap()
    case "wordcount":
      try takesNothing()
      return .integer(Int128(subject.wordCount))
    case "striptags":
      try takesNothing()
      return .string(subject.withoutTags())
    case "urlencode": return try urlEncode()
    case "xmlattr": return try xmlAttributes()
    default: throw Fault(.unsupported, "the filter '\(name)' is not supported")
    }
  }

  /// Returns an argument that must be a string.
  func string(_ value: Value?) throws(Fault) -> Text {
    guard let value, case .string(let text) = value else {
      throw Fault(.type, "\(name) takes a str, not \((value ?? .none).typeName)")
    }
    return text
  }

  /// Returns the text with a capital at the beginning of words, which follow white space, hyphens and opening brackets.
  private static func titled(_ text: Text) -> Text {
    var result = Text([])
    var word: [Letter] = []
    func finish() {
      guard let first = word.first else { return }
      result.append(Text([first]).uppercased())
      result.append(Text(word[1...]).lowercased())
      word = []
    }
    for letter in text.letters {
      if letter.isSpace || "-({[<".unicodeScalars.contains(letter.scalar) {
        finish()
        result.append(letter)
      } else {
        word.append(letter)
      }
    }
    finish()
    return result
  }

  private func join() throws(Fault) -> Value {
    let values = try bound(["d", "attribute"])
    let separator = try values[0].map { (value) throws(Fault) in try interpreter.text(of: value) } ?? ""
    let path = try AttributePath(values[1])
    var parts: [Text] = []
    for element in try interpreter.elements(of: value) {
      parts.append(try interpreter.text(of: path.value(of: element, interpreter)).plain)
    }
    return try interpreter.join(parts, separator: separator.plain)
  }

  private func indent() throws(Fault) -> Value {
    let values = try bound(["width", "first", "blank"])
    let subject: Text
    switch value {
    case .string(let text): subject = text
    case .undefined(let undefined): throw undefined.fault
    default: throw Fault(.type, "unsupported operand type(s) for +=: '\(value.typeName)' and 'str'")
    }
    let indentation: Text
    if case .string(let text) = values[0] {
      indentation = text
    } else {
      let width = max(0, try values[0].integer(or: 4, "width"))
      try interpreter.budget.take(characters: width)
      indentation = Text([Letter](repeating: Letter(" "), count: width))
    }
    let isBlankIndented = values[2].isTrue(or: false)
    let lines = (subject + "\n").lines()
    try interpreter.budget.take(characters: subject.count + lines.count * (indentation.count + 1))
    var result = Text([])
    for (index, line) in lines.enumerated() {
      if index > 0 { result.append("\n") }
      let isIndented = index == 0 ? values[1].isTrue(or: false) : isBlankIndented || !line.isEmpty
      if isIndented { result.append(indentation) }
      result.append(line)
    }
    return .string(result.marked(subject.isMarkup))
  }

  private func format(_ subject: Text) throws(Fault) -> Value {
    if !arguments.positional.isEmpty && !arguments.keywords.isEmpty {
      throw Fault(.runtime, "can't handle positional and keyword arguments at the same time")
    }
    let operand =
      arguments.keywords.isEmpty
      ? try interpreter.makeTuple(arguments.positional)
      : try interpreter.makeDictionary(arguments.keywords.map { (.text($0.name), $0.value) })
    return try interpreter.makeText(PercentFormat.format(subject, operand, interpreter))
  }

  private func truncate() throws(Fault) -> Value {
    let values = try bound(["length", "killwords", "end", "leeway"])
    if value.isUndefined { return value }
    let subject = try string(value)
    let length = try values[0].integer(or: 255, "length")
    let end = try values[2].map { (value) throws(Fault) in try string(value) } ?? "..."
    let leeway = values[3]?.isNone ?? true ? 5 : try values[3].integer(or: 5, "leeway")
    guard length >= end.count else { throw Fault(.value, "expected length >= \(end.count), got \(length)") }
    guard leeway >= 0 else { throw Fault(.value, "expected leeway >= 0, got \(leeway)") }
    if subject.count - leeway <= length { return .string(subject) }
    let kept = Text(subject.letters[..<(length - end.count)])
    if values[1].isTrue(or: false) { return .string(kept + end) }
    return .string(kept.splitFromRight(by: " ", limit: 1)[0] + end)
  }

  private func urlEncode() throws(Fault) -> Value {
    try takesNothing()
    switch value {
    case .dictionary, .list, .tuple:
      var pairs: [Value] = []
      if case .dictionary(let dictionary) = value {
        pairs = DictionaryView(dictionary: dictionary, kind: .items).elements
      } else {
        pairs = try interpreter.elements(of: value)
      }
      var parts: [Text] = []
      for pair in pairs {
        let pair = try interpreter.elements(of: pair)
        guard pair.count == 2 else { throw Fault(.value, "urlencode takes pairs") }
        let name = try interpreter.text(of: pair[0]).urlEncoded(forQuery: true)
        parts.append(name + "=" + (try interpreter.text(of: pair[1]).urlEncoded(forQuery: true)))
      }
      return try interpreter.join(parts, separator: "&")
    default: return try interpreter.makeText(subject.urlEncoded(forQuery: false))
    }
  }

  private func xmlAttributes() throws(Fault) -> Value {
    let hasLeadingBlank = try bound(["autospace"])[0].isTrue(or: true)
    guard case .dictionary(let dictionary) = value else {
      throw Fault(.type, "'\(value.typeName)' object has no attribute 'items'")
    }
    var parts: [Text] = []
    for (key, value) in dictionary.entries where !value.isNone && !value.isUndefined {
      let name = try interpreter.text(of: key)
      if name.letters.contains(where: { $0.code < 0x80 && ($0.isSpace || "/>=".unicodeScalars.contains($0.scalar)) }) {
        throw Fault(.value, "Invalid character in attribute name: \(name.representation.string)")
      }
      let value = try interpreter.text(of: value).escaped().plain
      parts.append(name.escaped().plain + "=\"" + value + "\"")
    }
    let text = Text.joined(parts, separator: " ")
    return try interpreter.makeText(hasLeadingBlank && !text.isEmpty ? " " + text : text)
  }
}

extension Text {
  /// The number of runs of letters, digits and underscores.
  fileprivate var wordCount: Int {
    var count = 0
    var isInWord = false
    for letter in letters {
      let isWord = letter == "_" || letter.isAlphanumeric
      if isWord && !isInWord { count += 1 }
      isInWord = isWord
    }
    return count
  }

  /// Returns percent-encoded UTF-8. In a query, blanks become `+`, and slashes are encoded, too.
  fileprivate func urlEncoded(forQuery: Bool) -> Text {
    var result: [Letter] = []
    for letter in letters {
      let isSafe = letter.code < 0x80 && (letter.isAlphanumeric || "_.-~".unicodeScalars.contains(letter.scalar))
      if isSafe || (letter == "/" && !forQuery) {
        result.append(letter)
      } else if letter == " " && forQuery {
        result.append(letter.replaced(by: "+"))
      } else {
        for byte in String(letter.scalar).utf8 {
          let digits = String(byte, radix: 16, uppercase: true)
          result += ("%" + (digits.utf8.count < 2 ? "0" : "") + digits).unicodeScalars.map { letter.replaced(by: $0) }
        }
      }
    }
    return Text(result)
  }
}
