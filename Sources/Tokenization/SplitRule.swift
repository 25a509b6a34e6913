// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// One step of splitting a text into words: what a model's authors wrote as a regular expression, written as a scanner.
///
/// Each rule says whether, and to where, its expression matches at a given place. Matches become pieces, and what lies
/// between two matches becomes a piece too. The expressions stand above the scanners; where a model's `tokenizer.json` and
/// an approximation of it elsewhere differ, these follow `tokenizer.json`, because the model has learned from that.
enum SplitRule: Sendable, Hashable {
  /// GPT-2's words.
  case gpt2
  /// Words with one leading sign, digits in groups of at most `digits`; `marks`: combining marks count as letters.
  case words(digits: Int, marks: Bool = false)
  /// Words divided where the case rises; `slash`: signs may end in slashes; `han`: Chinese characters stand apart.
  case casedWords(digits: Int, contractions: Bool, slash: Bool, han: Bool)
  /// The main rule of DeepSeek V3.
  case deepseekWords
  /// Runs of at most this many characters of `\p{N}`.
  case numbers(atMost: Int)
  /// Runs of exactly three ASCII digits.
  case threeDigits
  /// Single line ends, `[\r\n]`.
  case newline
  /// `\s?` and a run of scalars of a set, or just a run.
  case run(ScalarSet, optionalSpace: Bool)
  /// White space up to the end, `\s+$`.
  case trailingSpace

  /// Sets of scalars that rules name.
  enum ScalarSet: Sendable, Hashable {
    /// `[\p{P}\$\+<=>\^~\|]`, with the grave accent where `grave` says so.
    case punctuationAndSigns(grave: Bool)
    /// `\p{L}`.
    case letters
    /// `\p{P}`.
    case punctuation
    /// Letters with case, as DeepSeek LLM lists them.
    case deepseekLetters
    /// ASCII's and East Asian punctuation, as DeepSeek LLM lists them.
    case deepseekSigns
    /// Chinese characters, Hangul and what DeepSeek LLM takes along with them.
    case deepseekIdeographs
    /// Chinese characters and Japanese syllables.
    case ideographsAndKana
  }

  /// Where the match ends that begins at `start`, or nil if there is none there.
  ///
  /// - Precondition: `start < limit <= text.count`. The text is taken to end at `limit`.
  func matchEnd(_ text: ScalarText, from start: Int, before limit: Int) -> Int? {
    switch self {
    case .gpt2: gpt2(text, start, limit)
    case .words(let digits, let marks): words(text, start, limit, digits, marks)
    case .casedWords(let digits, let contractions, let slash, let han):
      casedWords(text, start, limit, digits, contractions, slash, han)
    case .deepseekWords: deepseekWords(text, start, limit)
    case .numbers(let most): numbers(text, start, limit, most)
    case .threeDigits: threeDigits(text, start, limit)
    case .newline: text.isAny(.newline, at: start, before: limit) ? start + 1 : nil
    case .run(let set, let optionalSpace): run(text, start, limit, set, optionalSpace)
    case .trailingSpace: trailingSpace(text, start, limit)
    }
  }

  /// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
  private func gpt2(_ text: ScalarText, _ start: Int, _ limit: Int) -> Int? {
    if let end = Self.contraction(text, start, limit, ignoringCase: false) { return end }
    let first = text.values[start] == 0x20 ? start + 1 : start
    if text.isAny(.letter, at: first, before: limit) { return text.endOfRun(.letter, from: first, before: limit) }
    if text.isAny(.number, at: first, before: limit) { return text.endOfRun(.number, from: first, before: limit) }
    if text.isNone([.space, .letter, .number], at: first, before: limit) {
      return text.endOfRun(without: [.space, .letter, .number], from: first, before: limit)
    }
    return Self.spaces(text, start, limit, breakingAtNewline: false)
  }

  /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
  /// with `{1,digits}`; with marks `[\p{L}\p{M}]+` for `\p{L}+` and no `\p{M}` among the signs.
  private func words(_ text: ScalarText, _ start: Int, _ limit: Int, _ digits: Int, _ marks: Bool) -> Int? {
    if let end = Self.contraction(text, start, limit, ignoringCase: true) { return end }
    let letters: CharacterClass = marks ? [.letter, .mark] : .letter
    if text.isAny(letters, at: start, before: limit) { return text.endOfRun(letters, from: start, before: limit) }
    if text.isNone([.newline, .number], at: start, before: limit), text.isAny(letters, at: start + 1, before: limit) {
      return text.endOfRun(letters, from: start + 1, before: limit)
    }
    if let end = numbers(text, start, limit, digits) { return end }
    let outside: CharacterClass = marks ? [.space, .letter, .mark, .number] : [.space, .letter, .number]
    return Self.signs(text, start, limit, outside: outside, slash: false)
      ?? Self.spaces(text, start, limit, breakingAtNewline: true)
  }

  /// With U = `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`, L = `[\p{Ll}\p{Lm}\p{Lo}\p{M}]` and C the contractions:
  /// `[^\r\n\p{L}\p{N}]?U*L+C?|[^\r\n\p{L}\p{N}]?U+L*C?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`.
  /// Kimi K2 puts `[\p{Han}]+|` in front and takes Han out of U and L.
  private func casedWords(
    _ text: ScalarText, _ start: Int, _ limit: Int, _ digits: Int, _ contractions: Bool, _ slash: Bool, _ han: Bool
  ) -> Int? {
    if han, text.isAny(.han, at: start, before: limit) { return text.endOfRun(.han, from: start, before: limit) }
    let prefixed = text.isNone([.newline, .letter, .number], at: start, before: limit)
    let begins = prefixed ? [start + 1, start] : [start]
    let word =
      begins.lazy.compactMap { Self.wordEndingLow(text, $0, limit, han) }.first
      ?? begins.lazy.compactMap { Self.wordBeginningHigh(text, $0, limit, han) }.first
    if let word { return contractions ? Self.contraction(text, word, limit, ignoringCase: true) ?? word : word }
    return numbers(text, start, limit, digits)
      ?? Self.signs(text, start, limit, outside: [.space, .letter, .number], slash: slash)
      ?? Self.spaces(text, start, limit, breakingAtNewline: true)
  }

  /// `U*L+`, as a backtracking matcher finds it: U takes all it can, then gives back until L has something.
  private static func wordEndingLow(_ text: ScalarText, _ start: Int, _ limit: Int, _ han: Bool) -> Int? {
    let high = endOfCased(.upper, text, start, limit, han)
    let low = endOfCased(.lower, text, high, limit, han)
    if low > high { return low }
    return (start..<high).last { text.isAny(.lower, at: $0, before: limit) }.map { $0 + 1 }
  }

  /// `U+L*`.
  private static func wordBeginningHigh(_ text: ScalarText, _ start: Int, _ limit: Int, _ han: Bool) -> Int? {
    let high = endOfCased(.upper, text, start, limit, han)
    return high > start ? endOfCased(.lower, text, high, limit, han) : nil
  }

  private static func endOfCased(_ cased: CharacterClass, _ text: ScalarText, _ start: Int, _ limit: Int, _ han: Bool) -> Int {
    var index = start
    while text.isAny(cased, at: index, before: limit), !(han && text.classes[index].contains(.han)) { index += 1 }
    return index
  }

  /// ``[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*``
  /// and then `|\s*[\r\n]+|\s+(?!\S)|\s+`.
  private func deepseekWords(_ text: ScalarText, _ start: Int, _ limit: Int) -> Int? {
    let first = text.values[start]
    if first < 0x80, text.isAny([.punctuation, .symbol], at: start, before: limit) {
      let end = text.endOfRun(from: start + 1, before: limit, where: Self.isASCIILetter)
      if end > start + 1 { return end }
    }
    if text.isNone([.newline, .letter, .punctuation, .symbol], at: start, before: limit),
      text.isAny([.letter, .mark], at: start + 1, before: limit)
    {
      return text.endOfRun([.letter, .mark], from: start + 1, before: limit)
    }
    if text.isAny([.letter, .mark], at: start, before: limit) {
      return text.endOfRun([.letter, .mark], from: start, before: limit)
    }
    let sign = first == 0x20 ? start + 1 : start
    if text.isAny([.punctuation, .symbol], at: sign, before: limit) {
      let end = text.endOfRun([.punctuation, .symbol], from: sign, before: limit)
      return text.endOfRun(.newline, from: end, before: limit)
    }
    return Self.spaces(text, start, limit, breakingAtNewline: true)
  }

  private func numbers(_ text: ScalarText, _ start: Int, _ limit: Int, _ most: Int) -> Int? {
    let end = text.endOfRun(.number, from: start, before: min(limit, start + min(most, limit - start)))
    return end > start ? end : nil
  }

  private func threeDigits(_ text: ScalarText, _ start: Int, _ limit: Int) -> Int? {
    let end = text.endOfRun(from: start, before: min(limit, start + 3)) { (0x30...0x39).contains($0) }
    return end == start + 3 ? end : nil
  }

  private func run(_ text: ScalarText, _ start: Int, _ limit: Int, _ set: ScalarSet, _ optionalSpace: Bool) -> Int? {
    for first in optionalSpace && text.isAny(.space, at: start, before: limit) ? [start + 1, start] : [start] {
      var end = first
      while end < limit, set.contains(text.values[end], text.classes[end]) { end += 1 }
      if end > first { return end }
    }
    return nil
  }

  private func trailingSpace(_ text: ScalarText, _ start: Int, _ limit: Int) -> Int? {
    let end = text.endOfRun(.space, from: start, before: limit)
    return end > start && end == limit ? end : nil
  }

  /// ` ?[^…]+[\r\n]*`, where the newlines may be slashes too.
  private static func signs(
    _ text: ScalarText, _ start: Int, _ limit: Int, outside: CharacterClass, slash: Bool
  ) -> Int? {
    let first = text.values[start] == 0x20 ? start + 1 : start
    guard text.isNone(outside, at: first, before: limit) else { return nil }
    let end = text.endOfRun(without: outside, from: first, before: limit)
    return text.endOfRun(from: end, before: limit) { $0 == 0x0d || $0 == 0x0a || (slash && $0 == 0x2f) }
  }

  /// `\s*[\r\n]+|\s+(?!\S)|\s+`, the first of them only if `breakingAtNewline`.
  private static func spaces(_ text: ScalarText, _ start: Int, _ limit: Int, breakingAtNewline: Bool) -> Int? {
    let end = text.endOfRun(.space, from: start, before: limit)
    guard end > start else { return nil }
    if breakingAtNewline, let newline = (start..<end).last(where: { text.classes[$0].contains(.newline) }) {
      return newline + 1
    }
    return end < limit && end - start > 1 ? end - 1 : end
  }

  /// `'s|'t|'re|'ve|'m|'ll|'d`
  private static func contraction(_ text: ScalarText, _ start: Int, _ limit: Int, ignoringCase: Bool) -> Int? {
    guard text.value(at: start, before: limit) == 0x27 else { return nil }
    func letter(_ index: Int) -> Unicode.Scalar? {
      guard let value = text.value(at: index, before: limit) else { return nil }
      // Without regard to case, the long s is an s.
      if ignoringCase, value == 0x17f { return "s" }
      guard value < 0x80 else { return nil }
      return Unicode.Scalar(ignoringCase && (0x41...0x5a).contains(value) ? value | 0x20 : value)
    }
    switch (letter(start + 1), letter(start + 2)) {
    case ("s", _), ("t", _), ("m", _), ("d", _): return start + 2
    case ("r", "e"), ("v", "e"), ("l", "l"): return start + 3
    default: return nil
    }
  }

  private static func isASCIILetter(_ value: UInt32) -> Bool { (0x41...0x5a).contains(value & ~0x20) }
}
