// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import JSON

/// A language that combines texts, schemas and grammars with two things that GBNF cannot express: marks that are single tokens, and
/// free text that ends at a mark.
package indirect enum Language: Sendable {
  /// A text. If it contains the text of a control token, that token must be there.
  case text(String)
  /// One of some ASCII characters.
  case oneOf(String)
  case sequence([Language])
  case choice([Language])
  /// A language at least `minimum` times, and at most `maximum` times; nil: any number of times.
  case repetition(Language, minimum: Int, maximum: Int?)
  /// A JSON document that satisfies the part of a schema at a JSON pointer such as `#`.
  case document(schema: JSONValue, at: String)
  /// A text in the language of a grammar.
  case grammar(Grammar)
  case free(FreeText)
  /// A language with a name, by which its parts may refer to it.
  case named(String, Language)
  case reference(String)

  /// The language that contains only the empty text.
  package static let empty = Language.sequence([])

  /// Returns a language with the empty text added.
  package static func optional(_ language: Language) -> Language { .choice([language, .empty]) }
}

/// Text up to the first occurrence of one of some marks.
package struct FreeText: Sendable {
  /// The marks, and the language of what follows each; nil: the mark must not occur.
  package var marks: [(text: String, next: Language?)]
  /// Whether the text may end without a mark.
  package var mayEnd: Bool
  /// Whether the text may contain control tokens.
  package var hasControl: Bool
  /// ASCII characters that the text must not begin with, after any white space.
  package var doesNotBeginWith: String

  package init(
    _ marks: [(text: String, next: Language?)], mayEnd: Bool = false, hasControl: Bool = false, doesNotBeginWith: String = ""
  ) {
    (self.marks, self.mayEnd, self.hasControl, self.doesNotBeginWith) = (marks, mayEnd, hasControl, doesNotBeginWith)
  }
}

extension Grammar {
  /// The byte before a control token's text in a vocabulary that shows control tokens. It occurs in no other text.
  package static let controlByte: UInt8 = 0xFF

  /// Compiles a language.
  ///
  /// - Parameter controlTokens: The texts of the control tokens that the vocabulary shows.
  package init(_ language: Language, controlTokens: Set<String> = []) throws(GrammarError) {
    var compiler = LanguageCompiler(controlTokens)
    let root = compiler.add("root")
    compiler.patterns[root] = try compiler.pattern(language)
    try self.init(patterns: compiler.patterns, names: compiler.names, root: root)
    if isEmpty { throw .invalidSchema(path: "#", problem: "no finite text satisfies it") }
  }

  /// Returns the rules as patterns, with `offset` added to their numbers.
  fileprivate func patterns(offset: Int) -> [Pattern] {
    rules.map { starts in
      .choice(
        starts.map { start in
          var row: [Pattern] = []
          var index = start
          while elements[index] != .end {
            switch elements[index] {
            case .bytes(let set): row.append(.bytes(sets[set]))
            case .rule(let rule): row.append(.rule(rule + offset))
            case .end: break
            }
            index += 1
          }
          return .sequence(row)
        })
    }
  }
}

/// Turns a language into patterns.
private struct LanguageCompiler {
  var patterns: [Pattern] = []
  private(set) var names: [String] = []
  private var rules: [String: Int] = [:]
  private var work = SchemaWork()
  private let controlTokens: [[UInt8]]

  /// Sorts tokens by length, longest first, so that the longest match is found.
  init(_ controlTokens: Set<String>) {
    self.controlTokens = controlTokens.map { Array($0.utf8) }.filter { !$0.isEmpty }.sorted { $0.count > $1.count }
  }

  mutating func add(_ name: String) -> Int {
    patterns.append(.empty)
    names.append(name)
    return patterns.count - 1
  }

  mutating func pattern(_ language: Language) throws(GrammarError) -> Pattern {
    switch language {
    case .text(let text): return .sequence(marked(text).map { .bytes(ByteSet($0)) })
    case .oneOf(let characters):
      var set = ByteSet()
      for byte in characters.utf8 { set.insert(byte) }
      return .bytes(set)
    case .sequence(let parts):
      return .sequence(try parts.map { (part) throws(GrammarError) in try pattern(part) })
    case .choice(let parts): return .choice(try parts.map { (part) throws(GrammarError) in try pattern(part) })
    case .repetition(let part, let minimum, let maximum):
      return .repetition(try pattern(part), minimum: minimum, maximum: maximum)
    case .document(let schema, let path):
      var compiler = SchemaCompiler(document: schema, patterns: patterns, names: names, work: work)
      // Without a second owner, they grow in place.
      (patterns, names) = ([], [])
      let rule = try compiler.rule(at: path)
      (patterns, names, work) = (compiler.patterns, compiler.names, compiler.work)
      return .rule(rule)
    case .grammar(let grammar):
      let offset = patterns.count
      patterns += grammar.patterns(offset: offset)
      names += grammar.rules.indices.map { "rule \($0)" }
      return .rule(offset + grammar.root)
    case .free(let free): return try self.free(free)
    case .named(let name, let inner):
      if let rule = rules[name] { return .rule(rule) }
      let rule = add(name)
      rules[name] = rule
      patterns[rule] = try pattern(inner)
      return .rule(rule)
    case .reference(let name):
      guard let rule = rules[name] else { throw .undefinedRule(name) }
      return .rule(rule)
    }
  }

  /// Returns the bytes of a text, with `Grammar.controlByte` before each control token in it.
  private func marked(_ text: String) -> [UInt8] {
    let bytes = Array(text.utf8)
    var result: [UInt8] = []
    var index = 0
    while index < bytes.count {
      if let token = controlTokens.first(where: { bytes[index...].starts(with: $0) }) {
        result.append(Grammar.controlByte)
        result += token
        index += token.count
      } else {
        result.append(bytes[index])
        index += 1
      }
    }
    return result
  }

  /// Makes a rule for each state of the automaton that searches for marks.
  private mutating func free(_ free: FreeText) throws(GrammarError) -> Pattern {
    // A parser sees the text of a mark, whether it was written as a control token or as ordinary tokens.
    var forms: [(bytes: [UInt8], mark: Int)] = []
    for (index, mark) in free.marks.enumerated() {
      forms.append((Array(mark.text.utf8), index))
      let other = marked(mark.text)
      if other != forms[forms.count - 1].bytes { forms.append((other, index)) }
    }
    let search = MarkSearch(forms)
    var next: [Pattern?] = []
    for (_, language) in free.marks { next.append(try language.map { (part) throws(GrammarError) in try pattern(part) }) }
    let first = patterns.count
    for state in search.states.indices { _ = add("text \(state)") }
    for state in search.states.indices where search.states[state].mark == nil {
      patterns[first + state] = row(search, state, free, next, first, without: "")
    }
    guard !free.doesNotBeginWith.isEmpty else { return .rule(first) }
    let start = add("text")
    var space = ByteSet()
    for byte in " \t\r\n".utf8 { space.insert(byte) }
    patterns[start] = .choice([
      .sequence([.bytes(space), .rule(start)]), row(search, 0, free, next, first, without: free.doesNotBeginWith + " \t\r\n"),
    ])
    return .rule(start)
  }

  private func row(
    _ search: MarkSearch, _ state: Int, _ free: FreeText, _ next: [Pattern?], _ first: Int, without excluded: String
  ) -> Pattern {
    var targets: [Int: ByteSet] = [:]
    for byte in UInt8.min...UInt8.max
    where (free.hasControl || byte != Grammar.controlByte || search.leads(from: state, byte)) && !excluded.utf8.contains(byte) {
      targets[search.target(of: state, byte), default: ByteSet()].insert(byte)
    }
    var choices: [Pattern] = targets.sorted { $0.key < $1.key }.compactMap { target, bytes in
      guard let mark = search.states[target].mark else { return .sequence([.bytes(bytes), .rule(first + target)]) }
      return next[mark].map { .sequence([.bytes(bytes), $0]) }
    }
    if free.mayEnd { choices.append(.empty) }
    return .choice(choices)
  }
}
