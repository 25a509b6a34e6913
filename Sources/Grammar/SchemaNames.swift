// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The names of an object's further members, which are none of its properties.
extension SchemaCompiler {
  /// The most characters that the names of an object's properties may have together if it allows further members.
  private static let greatestNameLength = 20_000

  /// Returns a pattern for a member's name that is not one of some names. Its characters must not be escaped, because an escape could
  /// spell one of them.
  mutating func name(except names: [String], _ path: String) throws(GrammarError) -> Pattern {
    let names = names.map { Array($0.unicodeScalars)[...] }
    guard names.reduce(0, { $0 + $1.count }) <= Self.greatestNameLength else {
      throw .unsupported(
        keyword: "additionalProperties", path: path,
        reason: "beside properties whose names have more than \(Self.greatestNameLength) characters together")
    }
    let anyRest = shared("rest of a name") { _ in .sequence([.any(.characters(JSONStrings.plain)), .text("\"")]) }
    let first = add(path + " name")
    // What is left of the names, for each rule that continues a beginning of them.
    var waiting = [(rule: first, names: names)]
    while let (rule, names) = waiting.popLast() {
      var followers: [Unicode.Scalar: [ArraySlice<Unicode.Scalar>]] = [:]
      for name in names { if let next = name.first { followers[next, default: []].append(name.dropFirst()) } }
      let firsts = followers.keys.sorted()
      let others = JSONStrings.plain.without(firsts.map { $0.value...$0.value })
      var choices: [Pattern] = [.sequence([.characters(others), anyRest])]
      if !names.contains(where: \.isEmpty) { choices.append(.text("\"")) }
      for next in firsts where JSONStrings.plain.contains(where: { $0.contains(next.value) }) {
        let continuation = add(path + " name")
        waiting.append((continuation, followers[next] ?? []))
        choices.append(.sequence([.text(String(next)), .rule(continuation)]))
      }
      define(rule, .choice(choices))
    }
    return .sequence([.text("\""), .rule(first)])
  }
}
