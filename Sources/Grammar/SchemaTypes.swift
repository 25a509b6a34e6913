// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import JSON

/// Objects, arrays, strings and numbers of a schema.
extension SchemaCompiler {
  private func count(_ keyword: String, _ schema: JSONObject, _ path: String) throws(GrammarError) -> Int? {
    guard let value = schema[keyword] else { return nil }
    let number: Int? = if case .number(let float) = value { Int(exactly: float) } else { value.integer }
    guard let number, number >= 0 else { throw .invalidSchema(path: path, problem: "'\(keyword)' is a count") }
    return number
  }

  // MARK: Objects

  mutating func objectPattern(_ schema: JSONObject, _ path: String) throws(GrammarError) -> Pattern {
    var properties = (schema["properties"]?.object ?? JSONObject()).members
    let required = Set((schema["required"]?.array ?? []).compactMap(\.string))
    let additional = try additional(schema, path)
    var listed = Set(properties.map(\.name))
    for name in (schema["required"]?.array ?? []).compactMap(\.string) where listed.insert(name).inserted {
      guard schema["additionalProperties"] != .bool(false) else {
        throw .invalidSchema(path: path, problem: "'\(name)' is required and not allowed")
      }
      let hasSchema = schema["additionalProperties"]?.object != nil
      properties.append((name, hasSchema ? ["$ref": .string(path + "/additionalProperties")] : true))
    }
    try checkCounts(schema, properties.count, required.count, hasAdditional: additional != nil, path)
    // From the last member backwards: what may follow at each place, as the first member or after others.
    var afterOthers = Pattern.empty
    var asFirst = Pattern.empty
    if let additional {
      let member: Pattern = .sequence([
        try name(except: properties.map(\.name), path), space, .text(":"), space, additional,
      ])
      let maximum = properties.isEmpty ? try count("maxProperties", schema, path) : nil
      let more: Pattern = .repetition(.sequence([separator, member]), minimum: 0, maximum: maximum.map { max(0, $0 - 1) })
      afterOthers = .rule(add(path + " more", more))
      let minimum = try count("minProperties", schema, path)
      let needsOne = properties.isEmpty && minimum == 1
      asFirst = needsOne ? .sequence([member, afterOthers]) : maximum == 0 ? .empty : .optional(.sequence([member, afterOthers]))
    }
    for (name, value) in properties.reversed() {
      if value == .bool(false) {
        guard !required.contains(name) else { throw .invalidSchema(path: path, problem: "'\(name)' is required and not allowed") }
        continue
      }
      let member: Pattern = .sequence([
        .text(JSONValue.string(name).description), space, .text(":"), space,
        try part(value, path + "/properties/" + name.escapedForPath),
      ])
      let first: Pattern = .sequence([member, afterOthers])
      let next: Pattern = .sequence([separator, member, afterOthers])
      let isRequired = required.contains(name)
      asFirst = .rule(add(path + " \(name)", isRequired ? first : .choice([first, asFirst])))
      afterOthers = .rule(add(path + " , \(name)", isRequired ? next : .choice([next, afterOthers])))
    }
    return object(first: asFirst)
  }

  /// Returns a pattern for the values of other members; nil if there must be none.
  private mutating func additional(_ schema: JSONObject, _ path: String) throws(GrammarError) -> Pattern? {
    if let unevaluated = schema["unevaluatedProperties"], unevaluated != .bool(false) {
      throw .unsupported(keyword: "unevaluatedProperties", path: path, reason: "but for false")
    }
    switch schema["additionalProperties"] {
    case .bool(false)?: return nil
    case .bool(true)?: return anything
    case let value?: return try part(value, path + "/additionalProperties")
    case nil:
      let isOpen = schema["properties"] == nil && schema["required"] == nil && schema["unevaluatedProperties"] == nil
      return isOpen ? anything : nil
    }
  }

  private func checkCounts(
    _ schema: JSONObject, _ count: Int, _ requiredCount: Int, hasAdditional: Bool, _ path: String
  ) throws(GrammarError) {
    if let minimum = try self.count("minProperties", schema, path), minimum > requiredCount,
      !(minimum == 1 && count == 0 && hasAdditional)
    {
      throw .unsupported(keyword: "minProperties", path: path, reason: "more than the required properties")
    }
    if let maximum = try self.count("maxProperties", schema, path), count > 0, hasAdditional || maximum < count {
      throw .unsupported(keyword: "maxProperties", path: path, reason: "fewer than the properties")
    }
  }

  // MARK: Arrays

  mutating func arrayPattern(_ schema: JSONObject, _ path: String) throws(GrammarError) -> Pattern {
    if let unique = schema["uniqueItems"], unique != .bool(false) {
      throw .unsupported(keyword: "uniqueItems", path: path, reason: "")
    }
    var places: [Pattern] = []
    for (index, place) in (schema["prefixItems"]?.array ?? []).enumerated() {
      places.append(try part(place, "\(path)/prefixItems/\(index)"))
    }
    var rest: Pattern?
    switch schema["items"] {
    case .bool(false)?: rest = nil
    case .array?: throw .unsupported(keyword: "items", path: path, reason: "as a list; write 'prefixItems'")
    case let items?: rest = try part(items, path + "/items")
    // Without `items`, an array with `prefixItems` has no further elements here.
    case nil: rest = places.isEmpty ? anything : nil
    }
    let minimum = try count("minItems", schema, path) ?? 0
    var maximum = try count("maxItems", schema, path)
    if rest == nil { maximum = min(maximum ?? .max, places.count) }
    guard minimum <= maximum ?? .max else { throw .invalidSchema(path: path, problem: "no array has so many elements") }
    guard minimum <= 10_000 else { throw .unsupported(keyword: "minItems", path: path, reason: "more than 10000") }
    return array(elements(places, rest, minimum, maximum))
  }

  private mutating func elements(_ places: [Pattern], _ rest: Pattern?, _ minimum: Int, _ maximum: Int?) -> Pattern {
    let fixed = min(max(places.count, minimum, 1), maximum ?? .max)
    var pattern = Pattern.empty
    if let rest {
      pattern = .repetition(.sequence([separator, rest]), minimum: 0, maximum: maximum.map { $0 - fixed })
    }
    for index in (0..<fixed).reversed() {
      let element = index < places.count ? places[index] : rest ?? .empty
      let rest: Pattern = .rule(add("element \(index)", .sequence([index > 0 ? separator : .empty, element, pattern])))
      pattern = index < minimum ? rest : .optional(rest)
    }
    return pattern
  }

  // MARK: Strings

  mutating func stringPattern(_ schema: JSONObject, _ path: String) throws(GrammarError) -> Pattern {
    let minimum = try count("minLength", schema, path)
    let maximum = try count("maxLength", schema, path)
    if let format = schema["format"] {
      guard schema["pattern"] == nil, minimum == nil, maximum == nil else {
        throw .unsupported(keyword: "format", path: path, reason: "beside 'pattern' or a length")
      }
      return JSONStrings.quoted(try Self.format(format.string ?? "", path))
    }
    if let expression = schema["pattern"] {
      guard minimum == nil, maximum == nil else { throw .unsupported(keyword: "pattern", path: path, reason: "beside a length") }
      guard let expression = expression.string else { throw .invalidSchema(path: path, problem: "'pattern' is a string") }
      return JSONStrings.quoted(try RegexParser.pattern(expression, path: path))
    }
    guard minimum != nil || maximum != nil else { return string }
    guard minimum ?? 0 <= maximum ?? .max else { throw .invalidSchema(path: path, problem: "'minLength' exceeds 'maxLength'") }
    guard max(minimum ?? 0, maximum ?? 0) <= 10_000 else {
      throw .unsupported(keyword: maximum == nil ? "minLength" : "maxLength", path: path, reason: "more than 10000")
    }
    let character = shared("character") { _ in JSONStrings.character }
    return JSONStrings.quoted(.repetition(character, minimum: minimum ?? 0, maximum: maximum))
  }

  private static func format(_ format: String, _ path: String) throws(GrammarError) -> Pattern {
    let date =
      "[0-9]{4}-(0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|[0-9]{4}-(0[469]|11)-(0[1-9]|[12][0-9]|30)|[0-9]{4}-02-(0[1-9]|1[0-9]|2[0-8])"
    let clock = "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
    let byte = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
    let expressions = [
      "date": "^(\(date))$", "time": "^\(clock)$", "date-time": "^(\(date))T\(clock)$",
      "uuid": "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", "ipv4": "^\(byte)(\\.\(byte)){3}$",
    ]
    guard let expression = expressions[format] else {
      throw .unsupported(keyword: "format", path: path, reason: "'\(format)'; write a 'pattern'")
    }
    return try RegexParser.pattern(expression, path: path)
  }

  // MARK: Numbers

  /// A bound as an integer divided by a power of ten.
  private struct Decimal {
    var digits: Int128
    var places = 0

    init?(_ value: JSONValue) {
      switch value {
      case .integer(let integer):
        guard integer.magnitude < 1_000_000_000_000_000_000 else { return nil }
        digits = integer
      case .number(let number):
        // The shortest digits that read back as the same number. A bound with an exponent is not supported.
        let parts = number.description.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let all = Int128(parts[0] + parts[1]) else { return nil }
        digits = all
        places = parts[1].utf8.count
      default: return nil
      }
    }

    /// Returns the numerator for a denominator of 10^`places`, which must not have fewer places than the bound.
    func scaled(to places: Int) -> Int128 { (self.places..<places).reduce(digits) { digits, _ in digits * 10 } }
  }

  private func bound(_ keyword: String, _ schema: JSONObject, _ path: String) throws(GrammarError) -> Decimal? {
    guard let value = schema[keyword] else { return nil }
    guard let bound = Decimal(value) else { throw .unsupported(keyword: keyword, path: path, reason: "of \(value)") }
    return bound
  }

  func numberPattern(_ schema: JSONObject, isInteger: Bool, _ path: String) throws(GrammarError) -> Pattern {
    let minimum = try bound("minimum", schema, path)
    let above = try bound("exclusiveMinimum", schema, path)
    let maximum = try bound("maximum", schema, path)
    let below = try bound("exclusiveMaximum", schema, path)
    let bounds = [minimum, above, maximum, below].compactMap(\.self)
    if bounds.isEmpty { return isInteger ? JSONNumbers.integer : JSONNumbers.number }
    let places = bounds.map(\.places).max() ?? 0
    // Between two close bounds there may only be numbers with more places.
    for places in isInteger ? [places] : [places, places + 3] where places <= 12 {
      var lows: [Int128] = []
      if let minimum { lows.append(minimum.scaled(to: places)) }
      if let above { lows.append(above.scaled(to: places) + 1) }
      var highs: [Int128] = []
      if let maximum { highs.append(maximum.scaled(to: places)) }
      if let below { highs.append(below.scaled(to: places) - 1) }
      let (low, high) = (lows.max(), highs.min())
      let unit = (0..<places).reduce(Int128(1)) { unit, _ in unit * 10 }
      let pattern =
        isInteger
        ? JSONNumbers.integer(from: low.map { Self.dividedUp($0, unit) }, to: high.map { -Self.dividedUp(-$0, unit) })
        : JSONNumbers.decimal(from: low, to: high, places: places, hasMore: true)
      if let pattern { return pattern }
    }
    throw .invalidSchema(path: path, problem: "no number lies between the bounds")
  }

  private static func dividedUp(_ number: Int128, _ unit: Int128) -> Int128 {
    number / unit + (number % unit > 0 ? 1 : 0)
  }
}

extension String {
  /// The string as a part of a JSON pointer.
  var escapedForPath: String {
    var result = ""
    for character in self { result += character == "~" ? "~0" : character == "/" ? "~1" : String(character) }
    return result
  }
}
