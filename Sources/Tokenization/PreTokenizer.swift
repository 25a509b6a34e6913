// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// How byte pair encoding splits a text into words before it joins symbols (`tokenizer.ggml.pre`).
///
/// The rules apply one after another, each to the pieces that the previous ones left.
struct PreTokenizer: Sendable {
  /// The symbols that merges join.
  enum Alphabet: Sendable {
    /// Bytes, written in the letters of `ByteAlphabet`.
    case bytes
    /// Characters, written as plain text, with U+2581 for a space.
    case characters
  }

  let rules: [SplitRule]
  /// Whether a word that is a token becomes that token without merges.
  var ignoresMerges = false
  /// Whether a text begins with the begin-of-text token, unless the file says otherwise.
  var addsBeginOfText = false
  /// Whether the text is first brought into Unicode's normal form C.
  var composes = false
  var alphabet = Alphabet.bytes

  /// Finds the rules with the name that a GGUF contains.
  init(named name: String) throws(TokenizerError) {
    guard let found = Self.table[name] else { throw .unknownPreTokenizer(name) }
    self = found
  }

  private init(
    _ rules: [SplitRule], ignoresMerges: Bool = false, addsBeginOfText: Bool = false, composes: Bool = false,
    alphabet: Alphabet = .bytes
  ) {
    self.rules = rules
    self.ignoresMerges = ignoresMerges
    self.addsBeginOfText = addsBeginOfText
    self.composes = composes
    self.alphabet = alphabet
  }

  /// The known names, sorted.
  static let supportedNames = table.keys.sorted()

  /// Calls `body` with the scalars of each word, in order. Together the words are the whole text.
  ///
  /// - Complexity: O(n) for n scalars.
  func split(_ text: ScalarText, _ body: (Range<Int>) -> Void) { split(0..<text.count, text, rules[...], body) }

  private func split(_ range: Range<Int>, _ text: ScalarText, _ rules: ArraySlice<SplitRule>, _ body: (Range<Int>) -> Void) {
    guard let rule = rules.first else {
      if !range.isEmpty { body(range) }
      return
    }
    let others = rules.dropFirst()
    var gap = range.lowerBound
    var index = range.lowerBound
    var run = ScalarRun()
    while index < range.upperBound {
      guard let end = rule.matchEnd(text, from: index, before: range.upperBound, &run) else {
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
}

extension PreTokenizer {
  private static let gpt2 = PreTokenizer([.gpt2])
  /// GPT-NeoX's tokenizer and those derived from it.
  private static let neoX = PreTokenizer([.gpt2], composes: true)
  private static let singleDigits = PreTokenizer([.numbers(atMost: 1), .gpt2])
  private static let cl100k = PreTokenizer([.words(.init(digits: 3))])
  private static let llama3 = PreTokenizer([.words(.init(digits: 3))], ignoresMerges: true, addsBeginOfText: true)
  private static let glm4 = PreTokenizer([.words(.init(digits: 3))], ignoresMerges: true)
  private static let qwen2 = PreTokenizer([.words(.init(digits: 1))], composes: true)
  private static let plainQwen2 = PreTokenizer([.words(.init(digits: 1))])
  private static let o200k = PreTokenizer([.casedWords(.init(digits: 3))])
  private static let bloom = PreTokenizer([.bloomWords])
  private static let deepseek3 = PreTokenizer([
    .numbers(atMost: 3), .run(.ideographsAndKana, optionalSpace: false), .deepseekWords(singleLineEnds: false),
  ])
  private static let aya = PreTokenizer([.digitsFromRight, .casedWords(.init(digits: 3))])
  private static let gemma4 = PreTokenizer([.lines], alphabet: .characters)

  private static let table: [String: PreTokenizer] = [
    "default": PreTokenizer([
      .run(.punctuationAndSigns(grave: false), optionalSpace: false), .gpt2, .numbers(atMost: .max), .threeDigits,
    ]), "falcon": PreTokenizer([.run(.punctuationAndSigns(grave: true), optionalSpace: false), .gpt2, .threeDigits]),
    // GPT-2's words, and variants.
    "gpt-2": gpt2, "phi-2": gpt2, "gigachat": gpt2, "trillion": gpt2, "a.x-4.0": gpt2, "jais": gpt2, "mellum": gpt2,
    "granite-docling": gpt2, "exaone4": gpt2, "jina-es": gpt2, "jina-de": gpt2, "jina-v1-en": gpt2, "jina-v2-es": gpt2,
    "jina-v2-de": gpt2, "jina-v2-code": gpt2, "roberta-bpe": gpt2, "mpt": neoX, "olmo": neoX, "modern-bert": neoX,
    "starcoder": singleDigits, "refact": singleDigits, "command-r": singleDigits, "smollm": singleDigits, "codeshell": singleDigits,
    "exaone": singleDigits, "minerva-7b": singleDigits, "mellum2": singleDigits,
    "chameleon": PreTokenizer(
      [.sentinel, .imageTokens, .chameleonSpaces, .numbers(atMost: 1), .one(.punctuationAndASCIISigns), .gpt2],
      addsBeginOfText: true),
    // GPT-4's words, and variants.
    "llama-bpe": llama3, "llama3": llama3, "llama-v3": llama3, "falcon3": llama3, "falcon-h1": llama3, "pixtral": llama3,
    "midm-2.0": llama3, "lfm2": llama3, "jina-v5-nano": llama3, "dbrx": cl100k, "smaug-bpe": cl100k, "chatglm-bpe": cl100k,
    "glm4": glm4, "glm5": glm4, "jais-2": PreTokenizer([.words(.init(digits: 3, steppedSpaces: true))]),
    "minicpm5": PreTokenizer([.numbers(atMost: 3), .words(.init(digits: .max))], ignoresMerges: true), "qwen2": qwen2,
    "deepseek-r1-qwen": qwen2, "f2llmv2": qwen2, "stablelm2": qwen2, "kormo": plainQwen2, "hunyuan": plainQwen2,
    "megrez": plainQwen2, "grok-2": plainQwen2, "solar-open": plainQwen2, "bailingmoe": plainQwen2, "bailingmoe2": plainQwen2,
    "llada-moe": plainQwen2, "qwen35": PreTokenizer([.words(.init(digits: 1, marks: true))], composes: true),
    "seed-coder": PreTokenizer([.words(.init(digits: 1, lineEndsAfterSigns: false))]),
    "ufakzeka": PreTokenizer([.words(.init(digits: 1, contractions: false))]),
    "laguna": PreTokenizer([.lines, .words(.init(digits: 1))]), "exaone-moe": PreTokenizer([.exaoneWords]),
    // GPT-4o's words, and variants.
    "gpt-4o": o200k, "llama4": o200k, "minimax-m2": o200k, "kanana2": o200k, "talkie": o200k,
    "granite-embed-multi-97m": PreTokenizer([.casedWords(.init(digits: 3))], ignoresMerges: true),
    "tekken": PreTokenizer([.casedWords(.init(digits: 1, contractions: false))], ignoresMerges: true, addsBeginOfText: true),
    "kimi-k2": PreTokenizer([.casedWords(.init(digits: 3, slash: false, han: true))]), "tiny_aya": aya, "cohere2moe": aya,
    "youtu": PreTokenizer(
      [.runOfAny([.hangul, .fullWidthPunctuation, .bopomofo, .ideographsAndKana]), .casedWords(.init(digits: 1))],
      ignoresMerges: true),
    // DeepSeek's words, and variants.
    "deepseek-llm": PreTokenizer([
      .newline, .run(.deepseekLetters, optionalSpace: true), .run(.deepseekSigns, optionalSpace: true), .trailingSpace,
      .run(.deepseekIdeographs, optionalSpace: false), .numbers(atMost: .max),
    ]),
    "deepseek-coder": PreTokenizer([
      .newline, .run(.letters, optionalSpace: true), .run(.punctuation, optionalSpace: true),
      .run(.deepseekIdeographs, optionalSpace: false), .numbers(atMost: 1),
    ]), "deepseek-v3": deepseek3, "hunyuan-dense": deepseek3, "joyai-llm": deepseek3, "hy_v4": deepseek3,
    "spark2_5": PreTokenizer([
      .numbers(atMost: 3), .run(.ideographsAndKana, optionalSpace: false), .deepseekWords(singleLineEnds: true),
      .numbers(atMost: 1),
    ]),
    "afmoe": PreTokenizer([.numbersFromRight, .run(.asianScripts, optionalSpace: false), .deepseekWords(singleLineEnds: false)]),
    // Others.
    "bloom": bloom, "gpt3-finnish": bloom, "poro-chat": bloom, "viking": PreTokenizer([.bloomWords, .numbers(atMost: 1)]),
    "superbpe": PreTokenizer([.numbers(atMost: .max), .beforeThousands]), "gemma4": gemma4, "granite-embed-multi-311m": gemma4,
    "sarvam-moe": gemma4,
  ]
}
