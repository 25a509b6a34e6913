// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import JSON

extension Grammar {
  /// Compiles a JSON Schema into a grammar whose texts all satisfy the schema.
  ///
  /// The grammar may allow less than the schema. Members of an object come in the order of `properties`. An object that lists its
  /// properties has no others unless `additionalProperties` allows them. Numbers have at most 15 digits on each side of the point.
  /// Between JSON tokens there is nothing, one blank, or a newline with up to twenty blanks. A keyword that cannot be enforced is
  /// an error.
  ///
  /// - Throws: `GrammarError`, with the path of the part of the schema that it is about.
  public init(schema: JSONValue) throws(GrammarError) {
    var work = SchemaWork()
    try self.init(schema: schema, within: &work)
  }

  /// Compiles one of several schemas that share a limit on the work.
  public init(schema: JSONValue, within work: inout SchemaWork) throws(GrammarError) {
    try Self.checkLength(schema.compact.utf8.count)
    var compiler = SchemaCompiler(document: schema, work: work)
    defer { work = compiler.work }
    let root = try compiler.rule(for: schema, at: "#")
    try self.init(patterns: compiler.patterns, names: compiler.names, root: root)
    if isEmpty { throw .invalidSchema(path: "#", problem: "no finite document satisfies it") }
  }
}

/// How much work may still go into schemas whose parts refer to each other, so that short ones cannot take minutes.
public struct SchemaWork: Sendable {
  /// The remaining steps, each a few nanoseconds.
  private var left = 20_000_000

  /// The limit for all schemas of a request.
  public init() {}

  mutating func spend(_ steps: Int) throws(GrammarError) {
    left -= steps
    if left < 0 { throw .tooManyCombinations }
  }
}

/// Compiles the parts of a schema into patterns. Each part is a rule, so that parts can refer to themselves.
struct SchemaCompiler {
  let document: JSONValue
  private(set) var patterns: [Pattern] = []
  private(set) var names: [String] = []
  private var rules: [String: Int] = [:]
  var work: SchemaWork

  /// - Parameters:
  ///   - patterns: Existing rules, which the new ones follow.
  ///   - names: The names of the existing rules.
  init(document: JSONValue, patterns: consuming [Pattern] = [], names: consuming [String] = [], work: SchemaWork) {
    (self.document, self.patterns, self.names, self.work) = (document, patterns, names, work)
  }

  /// Keywords that do not restrict which documents are valid.
  static let annotations: Set<String> = [
    "$schema", "$id", "$comment", "$defs", "definitions", "title", "description", "default", "examples", "deprecated", "readOnly",
    "writeOnly", "format",
  ]

  private static let known: Set<String> = annotations.union([
    "$ref", "type", "enum", "const", "anyOf", "oneOf", "allOf", "properties", "required", "additionalProperties", "minProperties",
    "maxProperties", "unevaluatedProperties", "items", "prefixItems", "minItems", "maxItems", "uniqueItems", "minLength",
    "maxLength",
    "pattern", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
  ])

  // MARK: Rules

  mutating func add(_ name: String, _ pattern: Pattern = .empty) -> Int {
    patterns.append(pattern)
    names.append(name)
    return patterns.count - 1
  }

  mutating func define(_ rule: Int, _ pattern: Pattern) { patterns[rule] = pattern }

  /// Returns the rule of a name that always stands for the same pattern; makes it if necessary.
  mutating func shared(_ name: String, _ make: (inout SchemaCompiler) -> Pattern) -> Pattern {
    if let rule = rules[name] { return .rule(rule) }
    let rule = add(name)
    rules[name] = rule
    patterns[rule] = make(&self)
    return .rule(rule)
  }

  /// Returns the rule for the part of the schema at a path; makes it if necessary.
  mutating func rule(for schema: JSONValue, at path: String) throws(GrammarError) -> Int {
    if let rule = rules[path] { return rule }
    guard path.utf8.count < 4096 else { throw .invalidSchema(path: String(path.prefix(80)) + "…", problem: "nested too deeply") }
    try work.spend(path.utf8.count)
    let rule = add(path)
    rules[path] = rule
    patterns[rule] = try pattern(schema, path)
    return rule
  }

  /// Returns the rule for the part of the document at a JSON pointer.
  mutating func rule(at path: String) throws(GrammarError) -> Int { try rule(for: target(path, path), at: path) }

  mutating func part(_ schema: JSONValue, _ path: String) throws(GrammarError) -> Pattern {
    .rule(try rule(for: schema, at: path))
  }

  var space: Pattern {
    mutating get {
      shared("space") { _ in
        .choice([
          .empty, .text(" "),
          .sequence([.text("\n"), .repetition(.characters([0x20...0x20, 0x09...0x09]), minimum: 0, maximum: 20)]),
        ])
      }
    }
  }

  var string: Pattern {
    mutating get { shared("string") { _ in JSONStrings.quoted(.any(JSONStrings.character)) } }
  }

  /// A pattern for any JSON value.
  var anything: Pattern {
    mutating get {
      if let rule = rules["value"] { return .rule(rule) }
      let rule = add("value")
      rules["value"] = rule
      let member: Pattern = .sequence([string, space, .text(":"), space, .rule(rule)])
      patterns[rule] = .choice([
        object(first: .optional(.sequence([member, .any(.sequence([separator, member]))]))),
        array(.optional(.sequence([.rule(rule), .any(.sequence([separator, .rule(rule)]))]))), string, JSONNumbers.number,
        .text("true"), .text("false"), .text("null"),
      ])
      return .rule(rule)
    }
  }

  var separator: Pattern {
    mutating get { .sequence([space, .text(","), space]) }
  }

  mutating func object(first members: Pattern) -> Pattern { .sequence([.text("{"), space, members, space, .text("}")]) }
  mutating func array(_ elements: Pattern) -> Pattern { .sequence([.text("["), space, elements, space, .text("]")]) }

  // MARK: Schemas

  private mutating func pattern(_ schema: JSONValue, _ path: String) throws(GrammarError) -> Pattern {
    switch schema {
    case .bool(true): return anything
    case .bool(false): throw .invalidSchema(path: path, problem: "false allows nothing")
    case .object(let object):
      for member in object.members where !Self.known.contains(member.name) {
        throw .unsupported(keyword: member.name, path: path, reason: "")
      }
      try checkForms(object, path)
      return try pattern(object, path)
    default: throw .invalidSchema(path: path, problem: "a schema is an object, true or false")
    }
  }

  /// Throws if the value of a keyword does not have the right form, because the keyword would then have no effect.
  private func checkForms(_ schema: JSONObject, _ path: String) throws(GrammarError) {
    func check(_ keyword: String, _ form: String, _ isOfForm: (JSONValue) -> Bool) throws(GrammarError) {
      if let value = schema[keyword], !isOfForm(value) { throw .invalidSchema(path: path, problem: "'\(keyword)' is \(form)") }
    }
    try check("properties", "an object") { $0.object != nil }
    try check("required", "a list of names") { $0.array?.allSatisfy { $0.string != nil } ?? false }
    try check("prefixItems", "a list") { $0.array != nil }
    for keyword in ["allOf", "anyOf", "oneOf"] {
      try check(keyword, "a list that is not empty") { $0.array?.isEmpty == false }
    }
  }

  /// Throws if other restricting keywords occur next to one that determines the value by itself.
  private func refuseOthers(_ schema: JSONObject, beside keyword: String, allowing allowed: Set<String> = [], _ path: String)
    throws(GrammarError)
  {
    for member in schema.members
    where member.name != keyword && !allowed.contains(member.name)
      && (!Self.annotations.contains(member.name) || member.name == "format")
    {
      throw .unsupported(keyword: member.name, path: path, reason: "beside '\(keyword)'")
    }
  }

  private mutating func pattern(_ schema: JSONObject, _ path: String) throws(GrammarError) -> Pattern {
    if schema["$ref"] != nil {
      try refuseOthers(schema, beside: "$ref", path)
      let (target, place) = try resolve(.object(schema), path)
      return try part(target, place)
    }
    if let value = schema["const"] {
      try refuseOthers(schema, beside: "const", allowing: ["type"], path)
      return try literals([value], schema, path)
    }
    if let values = schema["enum"] {
      try refuseOthers(schema, beside: "enum", allowing: ["type"], path)
      guard let values = values.array else { throw .invalidSchema(path: path, problem: "'enum' is a list") }
      return try literals(values, schema, path)
    }
    // The merged schema is checked as if it had been written here.
    if schema["allOf"] != nil { return try pattern(JSONValue.object(merged(schema, path)), path) }
    for keyword in ["anyOf", "oneOf"] {
      guard let choices = schema[keyword]?.array else { continue }
      try refuseOthers(schema, beside: keyword, path)
      if keyword == "oneOf" { try checkDisjoint(choices, path) }
      var patterns: [Pattern] = []
      for (index, choice) in choices.enumerated() where choice != .bool(false) {
        patterns.append(try part(choice, "\(path)/\(keyword)/\(index)"))
      }
      return .choice(patterns)
    }
    var choices: [Pattern] = []
    for type in try types(of: schema, path) { choices.append(try pattern(schema, ofType: type, path)) }
    return choices.count == 1 ? choices[0] : .choice(choices)
  }

  private func literals(_ values: [JSONValue], _ schema: JSONObject, _ path: String) throws(GrammarError) -> Pattern {
    let types = schema["type"] == nil ? nil : try self.types(of: schema, path)
    var choices: [Pattern] = []
    for value in values {
      if let types, !types.contains(where: { SchemaCompiler.isOf($0, value) }) { continue }
      if case .number(let number) = value, !number.isFinite {
        throw .invalidSchema(path: path, problem: "a number that is too large")
      }
      choices.append(.text(value.description))
    }
    guard !choices.isEmpty else { throw .invalidSchema(path: path, problem: "no value of 'enum' or 'const' is of the type") }
    return .choice(choices)
  }

  static func isOf(_ type: String, _ value: JSONValue) -> Bool {
    switch value {
    case .null: type == "null"
    case .bool: type == "boolean"
    case .integer: type == "integer" || type == "number"
    case .number(let number): type == "number" || (type == "integer" && number == number.rounded())
    case .string: type == "string"
    case .array: type == "array"
    case .object: type == "object"
    }
  }

  static let allTypes = ["object", "array", "string", "number", "boolean", "null"]

  /// Returns the types that a schema allows: those that it names, or those that its keywords refer to, or any.
  func types(of schema: JSONObject, _ path: String) throws(GrammarError) -> [String] {
    var types: [String] = []
    switch schema["type"] {
    case .string(let type)?: types = [type]
    case .array(let list)?: types = list.map { $0.string ?? "" }
    case nil:
      let keywords: [(String, [String])] = [
        ("object", ["properties", "required", "additionalProperties", "minProperties", "maxProperties", "unevaluatedProperties"]),
        ("array", ["items", "prefixItems", "minItems", "maxItems", "uniqueItems"]),
        ("string", ["minLength", "maxLength", "pattern", "format"]),
        ("number", ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]),
      ]
      types = keywords.filter { $0.1.contains { schema[$0] != nil } }.map(\.0)
      if types.isEmpty { return ["any"] }
    default: break
    }
    guard !types.isEmpty, types.allSatisfy({ $0 == "integer" || Self.allTypes.contains($0) }) else {
      throw .invalidSchema(path: path, problem: "'type' is not one of JSON's types")
    }
    if let format = schema["format"], !types.contains("string") {
      throw .unsupported(keyword: "format", path: path, reason: "\(format) of what is not a string; write bounds or a 'pattern'")
    }
    return types
  }

  private mutating func pattern(_ schema: JSONObject, ofType type: String, _ path: String) throws(GrammarError) -> Pattern {
    switch type {
    case "object": return try objectPattern(schema, path)
    case "array": return try arrayPattern(schema, path)
    case "string": return try stringPattern(schema, path)
    case "integer": return try numberPattern(schema, isInteger: true, path)
    case "number": return try numberPattern(schema, isInteger: false, path)
    case "boolean": return .choice([.text("true"), .text("false")])
    case "null": return .text("null")
    default: return anything
    }
  }

  // MARK: References

  /// Follows a chain of references, and returns the schema at its end with its path.
  mutating func resolve(_ schema: JSONValue, _ path: String) throws(GrammarError) -> (schema: JSONValue, path: String) {
    var (schema, path) = (schema, path)
    var seen: Set<String> = []
    while let reference = schema["$ref"] {
      guard let reference = reference.string, reference.hasPrefix("#"), seen.insert(reference).inserted else {
        throw .unsupported(keyword: "$ref", path: path, reason: "only references within the schema that lead to a schema")
      }
      try work.spend(10 * reference.utf8.count)
      try refuseOthers(schema.object ?? JSONObject(), beside: "$ref", path)
      schema = try target(reference, path)
      path = reference == "#/" ? "#" : reference
    }
    return (schema, path)
  }

  private func target(_ reference: String, _ path: String) throws(GrammarError) -> JSONValue {
    var value = document
    for part in reference.dropFirst().split(separator: "/") {
      let name = String(part).replacing("~1", with: "/").replacing("~0", with: "~")
      if let next = value[name] {
        value = next
      } else if case .array(let elements) = value, let index = Int(name), elements.indices.contains(index) {
        value = elements[index]
      } else {
        throw .invalidSchema(path: path, problem: "the reference '\(reference)' leads nowhere")
      }
    }
    return value
  }
}

extension String {
  /// Returns the string with every occurrence of a text replaced.
  fileprivate func replacing(_ old: String, with new: String) -> String {
    var result = ""
    var rest = self[...]
    while let range = rest.firstRange(of: old) {
      result += rest[..<range.lowerBound] + new
      rest = rest[range.upperBound...]
    }
    return result + rest
  }
}
