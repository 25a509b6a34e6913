// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A language of byte strings, compiled for masking tokens: rules whose alternatives are sequences of byte sets and other rules.
///
/// It has no mutable state, so threads may share it; `GrammarMatcher` follows a text through it.
public struct Grammar: Sendable {
  /// A part of an alternative.
  enum Element: Sendable, Equatable {
    /// One byte from a set; the value is the index of the set.
    case bytes(Int)
    case rule(Int)
    /// The end of an alternative.
    case end

    /// Whether the element matches some finite text, given which rules do.
    func isProductive(_ rules: [Bool]) -> Bool { if case .rule(let rule) = self { rules[rule] } else { true } }
  }

  /// The alternatives of all rules, each followed by `.end`.
  private(set) var elements: [Element] = []
  private(set) var sets: [ByteSet] = []
  /// For each rule, the indices at which its alternatives begin in `elements`.
  private(set) var rules: [[Int]] = []
  /// The index of the rule that texts must match.
  let root: Int
  /// Whether the language contains no finite text.
  let isEmpty: Bool

  /// The largest number of elements in a grammar.
  static let greatestSize = 400_000
  /// The longest text of a grammar or a schema, in bytes.
  static let greatestLength = 1 << 20

  /// Throws if the text of a grammar or a schema is too long.
  static func checkLength(_ byteCount: Int) throws(GrammarError) {
    guard byteCount <= greatestLength else { throw .tooLong(limit: greatestLength) }
  }

  /// Compiles patterns.
  ///
  /// - Parameters:
  ///   - patterns: What each rule matches.
  ///   - names: The names of the first rules, for messages.
  /// - Throws: `tooLarge`, or `leftRecursion` for a rule that begins with itself.
  init(patterns: [Pattern], names: [String], root: Int) throws(GrammarError) {
    self.root = root
    rules = [[Int]](repeating: [], count: patterns.count)
    var lowering = Lowering(rules: patterns.count)
    for (index, pattern) in patterns.enumerated() {
      let alternatives = try lowering.alternatives(pattern)
      lowering.define(index, alternatives)
    }
    let productive = lowering.productiveRules()
    isEmpty = !productive[root]
    for alternatives in lowering.rules {
      var starts: [Int] = []
      // An alternative that no finite text matches is left out, because it would be a dead end.
      for alternative in alternatives where alternative.allSatisfy({ $0.isProductive(productive) }) {
        starts.append(elements.count)
        elements += alternative
        elements.append(.end)
      }
      lowering.starts.append(starts)
    }
    rules = lowering.starts
    sets = lowering.sets
    try checkLeftRecursion(names)
  }

  /// Throws if some rule can return to itself before it has read a byte.
  private func checkLeftRecursion(_ names: [String]) throws(GrammarError) {
    let nullable = nullableRules()
    // 0: not visited, 1: on the current path, 2: finished.
    var marks = [UInt8](repeating: 0, count: rules.count)
    for start in rules.indices where marks[start] == 0 {
      var path: [(rule: Int, next: [Int])] = [(start, firstRules(of: start, nullable))]
      marks[start] = 1
      while let last = path.indices.last {
        guard let rule = path[last].next.popLast() else {
          marks[path[last].rule] = 2
          path.removeLast()
          continue
        }
        if marks[rule] == 1 {
          let named = ([rule] + path.reversed().map(\.rule)).first { $0 < names.count } ?? 0
          throw .leftRecursion(rule: named < names.count ? names[named] : "root")
        }
        if marks[rule] == 0 {
          marks[rule] = 1
          path.append((rule, firstRules(of: rule, nullable)))
        }
      }
    }
  }

  private func nullableRules() -> [Bool] {
    var alternatives = RuleClosure(ruleCount: rules.count)
    for (rule, starts) in rules.enumerated() {
      for start in starts {
        var needed: [Int] = []
        var index = start
        while case .rule(let inner) = elements[index] {
          needed.append(inner)
          index += 1
        }
        if elements[index] == .end { alternatives.add(rule, needs: needed) }
      }
    }
    return alternatives.reached()
  }

  /// Returns the rules that can occur at the beginning of a rule.
  private func firstRules(of rule: Int, _ nullable: [Bool]) -> [Int] {
    var first: [Int] = []
    for start in rules[rule] {
      var index = start
      while case .rule(let inner) = elements[index] {
        first.append(inner)
        guard nullable[inner] else { break }
        index += 1
      }
    }
    return first
  }
}

/// Turns patterns into sequences of elements; nested choices and repetitions become rules of their own.
private struct Lowering {
  var rules: [[[Grammar.Element]]]
  var starts: [[Int]] = []
  private(set) var sets: [ByteSet] = []
  private var setNumbers: [ByteSet: Int] = [:]
  private var size = 0

  init(rules count: Int) { rules = [[[Grammar.Element]]](repeating: [], count: count) }

  mutating func define(_ rule: Int, _ alternatives: [[Grammar.Element]]) { rules[rule] = alternatives }

  /// Counts elements, so that a grammar that is too large is refused before all of it has been lowered.
  private mutating func count(_ elements: Int) throws(GrammarError) {
    size += elements
    guard size <= Grammar.greatestSize else { throw .tooLarge(limit: Grammar.greatestSize) }
  }

  /// Returns which rules match some finite text.
  func productiveRules() -> [Bool] {
    var closure = RuleClosure(ruleCount: rules.count)
    for (rule, alternatives) in rules.enumerated() {
      for alternative in alternatives {
        closure.add(rule, needs: alternative.compactMap { if case .rule(let inner) = $0 { inner } else { nil } })
      }
    }
    return closure.reached()
  }

  private mutating func add(_ alternatives: [[Grammar.Element]]) -> Int {
    rules.append(alternatives)
    return rules.count - 1
  }

  mutating func alternatives(_ pattern: Pattern) throws(GrammarError) -> [[Grammar.Element]] {
    guard case .choice(let choices) = pattern else {
      try count(1)
      return [try row(pattern)]
    }
    var rows: [[Grammar.Element]] = []
    for choice in choices { rows += try alternatives(choice) }
    return rows
  }

  private mutating func row(_ pattern: Pattern) throws(GrammarError) -> [Grammar.Element] {
    switch pattern {
    case .bytes(let set):
      try count(1)
      if let number = setNumbers[set] { return [.bytes(number)] }
      setNumbers[set] = sets.count
      sets.append(set)
      return [.bytes(sets.count - 1)]
    case .sequence(let parts):
      var row: [Grammar.Element] = []
      for part in parts { row += try self.row(part) }
      return row
    case .rule(let rule):
      try count(1)
      return [.rule(rule)]
    case .choice:
      try count(1)
      return [.rule(add(try alternatives(pattern)))]
    case .repetition(let inner, let minimum, let maximum): return try repetition(inner, minimum, maximum)
    }
  }

  private mutating func repetition(_ inner: Pattern, _ minimum: Int, _ maximum: Int?) throws(GrammarError) -> [Grammar.Element] {
    var once = try row(inner)
    if once.count > 1 { once = [.rule(add([once]))] }
    guard minimum <= 10_000, maximum ?? 0 <= 10_000 else { throw .tooLarge(limit: Grammar.greatestSize) }
    // Each repetition that may be left out is a rule of four elements: once, the rest and two ends.
    try count(minimum + 4 * max(1, (maximum ?? 0) - minimum))
    var row: [Grammar.Element] = []
    for _ in 0..<minimum { row += once }
    guard let maximum else {
      // rule ::= once rule | nothing
      let rule = add([])
      rules[rule] = [once + [.rule(rule)], []]
      return row + [.rule(rule)]
    }
    var rest: Int?
    for _ in minimum..<max(minimum, maximum) { rest = add([once + (rest.map { [.rule($0)] } ?? []), []]) }
    return row + (rest.map { [.rule($0)] } ?? [])
  }
}
