// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// How a byte-level BPE model splits a text into words before it joins anything (`tokenizer.ggml.pre`).
///
/// The rules apply one after another, each to the pieces that the previous ones left.
struct PreTokenizer: Sendable {
  let rules: [SplitRule]
  /// Whether a word that is a token as it stands is taken whole, regardless of merges.
  var ignoresMerges = false
  /// Whether a text begins with the begin-of-text token unless the file says otherwise.
  var addsBeginOfText = false

  /// Finds the rules that a GGUF names.
  init(named name: String) throws(TokenizerError) {
    guard let found = Self.table[name] else { throw .unknownPreTokenizer(name) }
    self = found
  }

  private init(_ rules: [SplitRule], ignoresMerges: Bool = false, addsBeginOfText: Bool = false) {
    self.rules = rules
    self.ignoresMerges = ignoresMerges
    self.addsBeginOfText = addsBeginOfText
  }

  /// The names that are known, sorted.
  static let supportedNames = table.keys.sorted()

  /// Calls `body` with the scalars of each word, in order; together they are the whole text.
  ///
  /// - Complexity: O(n) for n scalars, except that a run of white space is looked at twice.
  func split(_ text: ScalarText, _ body: (Range<Int>) -> Void) {
    split(0..<text.count, text, rules[...], body)
  }

  private func split(_ range: Range<Int>, _ text: ScalarText, _ rules: ArraySlice<SplitRule>, _ body: (Range<Int>) -> Void) {
    guard let rule = rules.first else {
      if !range.isEmpty { body(range) }
      return
    }
    let others = rules.dropFirst()
    var gap = range.lowerBound
    var index = range.lowerBound
    while index < range.upperBound {
      guard let end = rule.matchEnd(text, from: index, before: range.upperBound) else {
        index += 1
        continue
      }
      if gap < index { split(gap..<index, text, others, body) }
      split(index..<end, text, others, body)
      index = end
      gap = end
    }
    if gap < range.upperBound { split(gap..<range.upperBound, text, others, body) }
  }

  private static let gpt2 = PreTokenizer([.gpt2])
  private static let singleDigits = PreTokenizer([.numbers(atMost: 1), .gpt2])
  private static let llama3 = PreTokenizer([.words(digits: 3)], ignoresMerges: true, addsBeginOfText: true)
  private static let qwen2 = PreTokenizer([.words(digits: 1)])
  private static let o200k = PreTokenizer([.casedWords(digits: 3, contractions: true, slash: true, han: false)])
  private static let deepseek3 = PreTokenizer([
    .numbers(atMost: 3), .run(.ideographsAndKana, optionalSpace: false), .deepseekWords,
  ])

  private static let table: [String: PreTokenizer] = [
    "default": PreTokenizer([
      .run(.punctuationAndSigns(grave: false), optionalSpace: false), .gpt2, .numbers(atMost: .max), .threeDigits,
    ]),
    "falcon": PreTokenizer([.run(.punctuationAndSigns(grave: true), optionalSpace: false), .gpt2, .threeDigits]),
    "gpt-2": gpt2, "phi-2": gpt2, "mpt": gpt2, "olmo": gpt2, "gigachat": gpt2, "trillion": gpt2, "a.x-4.0": gpt2,
    "starcoder": singleDigits, "refact": singleDigits, "command-r": singleDigits, "smollm": singleDigits,
    "codeshell": singleDigits, "exaone": singleDigits, "minerva-7b": singleDigits,
    "llama-bpe": llama3, "llama3": llama3, "llama-v3": llama3, "falcon3": llama3, "pixtral": llama3, "midm-2.0": llama3,
    "dbrx": PreTokenizer([.words(digits: 3)]), "smaug-bpe": PreTokenizer([.words(digits: 3)]),
    "qwen2": qwen2, "deepseek-r1-qwen": qwen2, "kormo": qwen2, "stablelm2": qwen2, "hunyuan": qwen2, "megrez": qwen2,
    "qwen35": PreTokenizer([.words(digits: 1, marks: true)]),
    "chatglm-bpe": PreTokenizer([.words(digits: 3)]),
    "glm4": PreTokenizer([.words(digits: 3)], ignoresMerges: true),
    "glm5": PreTokenizer([.words(digits: 3)], ignoresMerges: true),
    "gpt-4o": o200k, "llama4": o200k, "minimax-m2": o200k, "kanana2": o200k,
    "tekken": PreTokenizer(
      [.casedWords(digits: 1, contractions: false, slash: true, han: false)], ignoresMerges: true, addsBeginOfText: true),
    "kimi-k2": PreTokenizer([.casedWords(digits: 3, contractions: true, slash: false, han: true)]),
    "deepseek-llm": PreTokenizer([
      .newline, .run(.deepseekLetters, optionalSpace: true), .run(.deepseekSigns, optionalSpace: true), .trailingSpace,
      .run(.deepseekIdeographs, optionalSpace: false), .numbers(atMost: .max),
    ]),
    "deepseek-coder": PreTokenizer([
      .newline, .run(.letters, optionalSpace: true), .run(.punctuation, optionalSpace: true),
      .run(.deepseekIdeographs, optionalSpace: false), .numbers(atMost: 1),
    ]),
    "deepseek-v3": deepseek3, "hunyuan-dense": deepseek3, "joyai-llm": deepseek3,
  ]
}
