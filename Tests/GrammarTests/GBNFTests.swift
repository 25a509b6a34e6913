// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Grammar
import JSON
import Testing

struct GBNFTests {
  /// Returns whether a grammar accepts a whole text.
  private static func takes(_ grammar: Grammar, _ text: String) -> Bool {
    let matcher = GrammarMatcher(grammar, trie: SmallVocabulary.trie)
    return text.utf8.allSatisfy { matcher.accept(byte: $0) } && matcher.isComplete
  }

  @Test(arguments: [
    (#"root ::= "a" | "b" [0-9]+"#, ["a", "b1", "b123"], ["", "b", "ab", "a1"]),
    ("root ::= (x \",\")* x\nx ::= [a-c]{2,3} # two or three", ["ab", "ab,abc"], ["a", "abcd", "ab,", ",ab"]),
    (#"root ::= [^a-y]"#, ["z", "é", "🙂", "\n"], ["a", "m", "zz"]),
    (#"root ::= "\"" [äöü€]* "\"" "\n"?"#, ["\"\"", "\"ä€\"\n"], ["\"a\"", "\""]),
    (
      "root ::= expr\nexpr ::= term (\"+\" term)*\nterm ::= [0-9]+ | \"(\" expr \")\"", ["1", "(1+2)+3", "((7))"],
      ["1+", "(1", "()"]
    ),
    ("root ::= \"(\" root \")\" root | \"\"", ["", "()", "(())()"], ["(", ")", "(()"]),
    ("root ::= a{3} b{2,} c{,2}\na ::= \"a\"\nb ::= \"b\"\nc ::= \"c\"", ["aaabb", "aaabbbcc"], ["aabb", "aaab", "aaabbccc"]),
    (#"root ::= . "\x41\u00e9\U0001F642""#, ["xAé🙂", "🙂Aé🙂"], ["Aé🙂"]),
    ("root ::=\n  \"a\"\n  | \"b\"\n", [], []),
  ])
  func `a grammar takes its texts and no others`(source: String, good: [String], bad: [String]) throws {
    // A rule ends with its line, so the last one is not a grammar.
    guard !good.isEmpty else {
      #expect(throws: GrammarError.self) { try Grammar(gbnf: source) }
      return
    }
    let grammar = try Grammar(gbnf: source)
    for text in good { #expect(Self.takes(grammar, text), Comment(rawValue: text)) }
    for text in bad { #expect(!Self.takes(grammar, text), Comment(rawValue: text)) }
  }

  @Test(arguments: [
    (
      "root ::= root \"a\" | \"b\"",
      "the rule 'root' begins with itself, or repeats what may be empty; write the repetition on the right"
    ),
    (
      "root ::= x\nx ::= y\ny ::= \"\" x | \"a\"",
      "the rule 'x' begins with itself, or repeats what may be empty; write the repetition on the right"
    ),
    ("root ::= missing", "the grammar uses the rule 'missing' but does not define it"),
    ("a ::= \"b\"", "the grammar uses the rule 'root' but does not define it"),
    ("root ::= \"a", "grammar line 1, column 12: a string is not closed"),
    ("root ::= [a", "grammar line 1, column 12: a class of characters is not closed"),
    ("root ::= (\"a\"", "grammar line 1, column 14: a closing parenthesis is expected"),
    ("root = \"a\"", "grammar line 1, column 6: '::=' is expected after the name of a rule"),
    ("root ::= \"a\"\nroot ::= \"b\"", "grammar line 2, column 10: the rule 'root' is defined twice"),
    ("root ::= \"a\" root", "grammar line 1, column 1: no finite text matches the rule 'root'"),
    ("root ::= \"a\"{3,2}", "grammar line 1, column 18: a repetition that ends before it begins"),
  ])
  func `a grammar that is not well formed is refused with line and column`(source: String, message: String) {
    let error = #expect(throws: GrammarError.self) { try Grammar(gbnf: source) }
    #expect(error?.description == message)
  }

  @Test func `a grammar of JSON in GBNF writes JSON`() throws {
    let grammar = try Grammar(
      gbnf: #"""
        root   ::= object
        value  ::= object | array | string | number | ("true" | "false" | "null") ws
        object ::= "{" ws ( string ":" ws value ("," ws string ":" ws value)* )? "}" ws
        array  ::= "[" ws ( value ("," ws value)* )? "]" ws
        string ::= "\"" ( [^"\\\x7F\x00-\x1F] | "\\" (["\\bfnrt] | "u" [0-9a-cA-C] [0-9a-fA-F]{3}) )* "\"" ws
        number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,1})? ws
        ws     ::= | " " | "\n" [ \t]{0,20}
        """#)
    var writer = RandomWriter(grammar, seed: 5)
    var complete = 0
    for _ in 0..<40 {
      guard let text = writer.text() else { continue }
      complete += 1
      #expect(throws: Never.self, "\(String(decoding: text, as: UTF8.self))") { try JSONValue(parsing: text) }
    }
    #expect(complete > 20)
  }

  @Test func `nesting and size are bounded`() {
    #expect(throws: GrammarError.self) { try Grammar(gbnf: "root ::= " + String(repeating: "(", count: 100_000)) }
    #expect(throws: GrammarError.self) { try Grammar(gbnf: "root ::= \"a\"{10001}") }
  }

  @Test func `tokens with the same bytes are allowed together, and empty ones never`() throws {
    let trie = TokenTrie(vocabulary: [[], Array("a".utf8), Array("a".utf8), Array("ab".utf8), Array("b".utf8), []])
    let matcher = GrammarMatcher(try Grammar(gbnf: "root ::= \"a\" \"b\"?"), trie: trie)
    let mask = matcher.allowedTokens()
    #expect((0..<6).filter { mask[$0] } == [1, 2, 3])
    #expect(matcher.accept(token: 2) && matcher.isComplete && !matcher.mustEnd)
    #expect((0..<6).filter { matcher.allowedTokens()[$0] } == [4])
    #expect(!matcher.accept(token: 0))
  }
}
