// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// One step of splitting a text into words: a regular expression of a model's authors, as a hand-written scanner.
///
/// A rule says whether its expression matches at a given place, and where the match ends. Matches become pieces, and so does the
/// text between two matches. Each scanner has its expression in the comment above it. Where a model's `tokenizer.json` differs from
/// another program's approximation of it, these follow `tokenizer.json`, because the model was trained with that.
/// another program's approximation of it differ, these follow `tokenizer.json`, because the model was trained with that.
enum SplitRule: Sendable, Hashable {
  /// GPT-2's words.
  case gpt2
  /// Words with one leading sign (GPT-4).
  case words(Words)
  /// Words that are divided where the case rises (GPT-4o).
  case casedWords(CasedWords)
  /// The main rule of DeepSeek V3; `singleLineEnds`: each line end is a piece of its own instead of following signs and spaces.
  case deepseekWords(singleLineEnds: Bool)
  /// The rule of K-EXAONE, whose words may contain single spaces.
  case exaoneWords
  /// The rule of BLOOM: runs of anything except spaces and a few marks.
  case bloomWords
  /// Runs of at most this many characters of `\p{N}`.
  case numbers(atMost: Int)
  /// Runs of exactly three ASCII digits.
  case threeDigits
  /// Groups of three characters of `\p{N}`, counted from the right; the first group of a run may be shorter.
  case numbersFromRight
  /// Groups of three characters of `\d`, counted from the right, if a word ends with the run: `\d{1,3}(?=(?:\d{3})*\b)`.
  case digitsFromRight
  /// Divides before each group of three digits, counted from the right, `(?=(\d{3})+(?!\d))`; the match includes what follows, up
  /// to the next division.
  case beforeThousands
  /// Runs of line feeds, and the text between them: `[^\n]+|[\n]+`.
  case lines
  /// Single line ends, `[\r\n]`.
  case newline
  /// A run of scalars of a set, possibly with one white space before it (`\s?`).
  case run(ScalarSet, optionalSpace: Bool)
  /// A run of scalars of one set: the first of these that contains the first scalar.
  case runOfAny([ScalarSet])
  /// A single scalar of a set.
  case one(ScalarSet)
  /// White space up to the end, `\s+$`.
  case trailingSpace
  /// `<sentinel:[0-9]+>`
  case sentinel
  /// `(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z`
  case imageTokens
  /// ``([\t\n]|    |  )``: a tab, a line feed, four spaces or two.
  case chameleonSpaces

  /// What differs between variants of GPT-4's rule.
  struct Words: Sendable, Hashable {
    /// The largest number of digits in a group.
    var digits: Int
    /// Whether combining marks count as letters.
    var marks = false
    /// Whether `'s` and similar endings are pieces of their own.
    var contractions = true
    /// Whether line ends after signs belong to the same piece.
    var lineEndsAfterSigns = true
    /// Whether runs of spaces are divided into powers of two (Jais 2).
    var steppedSpaces = false
  }

  /// What differs between variants of GPT-4o's rule.
  struct CasedWords: Sendable, Hashable {
    /// The largest number of digits in a group.
    var digits: Int
    /// Whether `'s` and similar endings belong to the word before them.
    var contractions = true
    /// Whether slashes after signs belong to the same piece.
    var slash = true
    /// Whether runs of Chinese characters are pieces of their own.
    var han = false
  }

  /// Sets of scalars that rules refer to.
  enum ScalarSet: Sendable, Hashable {
    /// `[\p{P}\$\+<=>\^~\|]`, with the grave accent if `grave` is true.
    case punctuationAndSigns(grave: Bool)
    /// `\p{L}`.
    case letters
    /// `\p{P}`.
    case punctuation
    /// Letters with case, as DeepSeek LLM lists them.
    case deepseekLetters
    /// Punctuation of ASCII and East Asia, as DeepSeek LLM lists it.
    case deepseekSigns
    /// Chinese characters, Hangul and the characters that DeepSeek LLM lists with them.
    case deepseekIdeographs
    /// Chinese characters and Japanese syllables.
    case ideographsAndKana
    /// ``[\p{P}!-/:-@\[-`{-~]``
    case punctuationAndASCIISigns
    /// Korean syllables and letters.
    case hangul
    /// East Asian punctuation, as Youtu lists it.
    case fullWidthPunctuation
    /// Chinese phonetic letters.
    case bopomofo
    /// Characters of scripts that are written without spaces, as AFMoE lists them.
    case asianScripts
  }

  /// Returns the end of the match that begins at `start`, or nil if there is none.
  ///
  /// - Parameter run: The run that an earlier call with the same rule, text and limit found; in the first call, an empty one.
  /// - Precondition: `start < limit <= text.count`. The text is taken to end at `limit`.
  func matchEnd(_ text: ScalarText, from start: Int, before limit: Int, _ run: inout ScalarRun) -> Int? {
    switch self {
    case .gpt2: gpt2(text, start, limit)
    case .words(let kind): words(text, start, limit, kind)
    case .casedWords(let kind): casedWords(text, start, limit, kind)
    case .deepseekWords(let singleLineEnds): deepseekWords(text, start, limit, singleLineEnds)
    case .exaoneWords: exaoneWords(text, start, limit)
    case .bloomWords: bloomWords(text, start, limit)
    case .numbers(let most): numbers(text, start, limit, most)
    case .threeDigits: threeDigits(text, start, limit)
    case .newline: text.isAny(.newline, at: start, before: limit) ? start + 1 : nil
    case .run(let set, let optionalSpace): runOfSet(text, start, limit, set, optionalSpace)
    case .numbersFromRight: Self.groupFromRight(start, run.end(text, .number, from: start, before: limit))
    case .digitsFromRight: digitsFromRight(text, start, limit, &run)
    case .beforeThousands: beforeThousands(text, start, limit, &run)
    case .lines: text.endOfRun(from: start, before: limit) { ($0 == 0x0a) == (text.values[start] == 0x0a) }
    case .runOfAny(let sets):
      sets.first { $0.contains(text.values[start], text.classes[start]) }.flatMap { runOfSet(text, start, limit, $0, false) }
    case .one(let set): set.contains(text.values[start], text.classes[start]) ? start + 1 : nil
    case .trailingSpace: trailingSpace(text, start, limit, &run)
    case .sentinel: sentinel(text, start, limit)
    case .imageTokens: imageTokens(text, start, limit)
    case .chameleonSpaces: chameleonSpaces(text, start, limit)
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

  /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
  ///
  /// with `{1,digits}` for `{1,3}`. With marks, `\p{L}+` becomes `[\p{L}\p{M}]+`, and signs do not include `\p{M}`. Without line
  /// ends after signs, signs are ` ?[^\s\p{L}\p{N}]+`. With stepped spaces, the end is
  /// `\s{512}(?!\S)|\s{256}(?!\S)|…|\s{4}(?!\S)|\s{1,2}(?!\S)|\s`.
  private func words(_ text: ScalarText, _ start: Int, _ limit: Int, _ kind: Words) -> Int? {
    if kind.contractions, let end = Self.contraction(text, start, limit, ignoringCase: true) { return end }
    let letters: CharacterClass = kind.marks ? [.letter, .mark] : .letter
    if text.isAny(letters, at: start, before: limit) { return text.endOfRun(letters, from: start, before: limit) }
    if text.isNone([.newline, .number], at: start, before: limit), text.isAny(letters, at: start + 1, before: limit) {
      return text.endOfRun(letters, from: start + 1, before: limit)
    }
    if let end = numbers(text, start, limit, kind.digits) { return end }
    let outside: CharacterClass = kind.marks ? [.space, .letter, .mark, .number] : [.space, .letter, .number]
    if let end = Self.signs(text, start, limit, outside: outside, ends: kind.lineEndsAfterSigns ? .newlines : .none) { return end }
    return kind.steppedSpaces ? Self.steppedSpaces(text, start, limit) : Self.spaces(text, start, limit, breakingAtNewline: true)
  }

  /// With U = `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`, L = `[\p{Ll}\p{Lm}\p{Lo}\p{M}]` and C the contractions:
  /// `[^\r\n\p{L}\p{N}]?U*L+C?|[^\r\n\p{L}\p{N}]?U+L*C?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`.
  /// Kimi K2's rule begins with `[\p{Han}]+|` and excludes Han from U and L.
  private func casedWords(_ text: ScalarText, _ start: Int, _ limit: Int, _ kind: CasedWords) -> Int? {
    let han = kind.han
    if han, text.isAny(.han, at: start, before: limit) { return text.endOfRun(.han, from: start, before: limit) }
    let prefixed = text.isNone([.newline, .letter, .number], at: start, before: limit)
    let word =
      (prefixed ? Self.wordEndingLow(text, start + 1, limit, han) : nil) ?? Self.wordEndingLow(text, start, limit, han)
      ?? (prefixed ? Self.wordBeginningHigh(text, start + 1, limit, han) : nil) ?? Self.wordBeginningHigh(text, start, limit, han)
    if let word { return kind.contractions ? Self.contraction(text, word, limit, ignoringCase: true) ?? word : word }
    return numbers(text, start, limit, kind.digits) ?? Self.signs(
      text, start, limit, outside: [.space, .letter, .number], ends: kind.slash ? .newlinesAndSlashes : .newlines)
      ?? Self.spaces(text, start, limit, breakingAtNewline: true)
  }

  /// `U*L+`, as a backtracking matcher finds it: U takes as much as it can, then gives back until L matches something.
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
  /// and then `|\s*[\r\n]+|\s+(?!\S)|\s+`; with single line ends ` ?[\p{P}\p{S}]+|[\r\n]|\s+(?!\S)|\s+`.
  private func deepseekWords(_ text: ScalarText, _ start: Int, _ limit: Int, _ singleLineEnds: Bool) -> Int? {
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
      return singleLineEnds ? end : text.endOfRun(.newline, from: end, before: limit)
    }
    if singleLineEnds, text.isAny(.newline, at: start, before: limit) { return start + 1 }
    return Self.spaces(text, start, limit, breakingAtNewline: !singleLineEnds)
  }

  /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}`
  /// and then `| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+`
  private func exaoneWords(_ text: ScalarText, _ start: Int, _ limit: Int) -> Int? {
    if let end = Self.contraction(text, start, limit, ignoringCase: true) { return end }
    let isPrefix = text.isNone([.newline, .letter, .number], at: start, before: limit)
    let first = isPrefix ? start + 1 : start
    if text.isAny(.letter, at: first, before: limit) {
      var end = first
      while true {
        if text.isAny(.letter, at: end, before: limit) {
          end = text.endOfRun(.mark, from: end + 1, before: limit)
        } else if text.value(at: end, before: limit) == 0x20, text.isAny(.letter, at: end + 1, before: limit) {
          end = text.endOfRun(.mark, from: end + 2, before: limit)
        } else {
          return end
        }
      }
    }
    return numbers(text, start, limit, 1) ?? Self.signs(
      text, start, limit, outside: [.space, .letter, .number], ends: .oneNewlineOrSlash)
      ?? Self.spaces(text, start, limit, breakingAtNewline: true)
  }

  /// ` ?[^(\s|.,!?…。，、।۔،)]+`
  private func bloomWords(_ text: ScalarText, _ start: Int, _ limit: Int) -> Int? {
    let first = text.values[start] == 0x20 ? start + 1 : start
    var end = first
    while end < limit, !text.classes[end].contains(.space), !Self.bloomMarks.contains(text.values[end]) { end += 1 }
    return end > first ? end : nil
  }

  private static let bloomMarks = Set("(|.,!?…。，、।۔،)".unicodeScalars.map(\.value))

  private func numbers(_ text: ScalarText, _ start: Int, _ limit: Int, _ most: Int) -> Int? {
    let end = text.endOfRun(.number, from: start, before: min(limit, start + min(most, limit - start)))
    return end > start ? end : nil
  }

  private func threeDigits(_ text: ScalarText, _ start: Int, _ limit: Int) -> Int? {
    let end = text.endOfRun(from: start, before: min(limit, start + 3)) { (0x30...0x39).contains($0) }
    return end == start + 3 ? end : nil
  }

  private func runOfSet(_ text: ScalarText, _ start: Int, _ limit: Int, _ set: ScalarSet, _ optionalSpace: Bool) -> Int? {
    func end(from first: Int) -> Int? {
      var end = first
      while end < limit, set.contains(text.values[end], text.classes[end]) { end += 1 }
      return end > first ? end : nil
    }
    return (optionalSpace && text.isAny(.space, at: start, before: limit) ? end(from: start + 1) : nil) ?? end(from: start)
  }

  private func sentinel(_ text: ScalarText, _ start: Int, _ limit: Int) -> Int? {
    guard let digits = Self.end(of: "<sentinel:", text, start, limit) else { return nil }
    let end = text.endOfRun(from: digits, before: limit) { (0x30...0x39).contains($0) }
    return end > digits && text.value(at: end, before: limit) == 0x3e ? end + 1 : nil
  }

  private func imageTokens(_ text: ScalarText, _ start: Int, _ limit: Int) -> Int? {
    guard let letters = Self.end(of: "IMGIMG", text, start, limit) else { return nil }
    let end = text.endOfRun(from: letters, before: min(limit, letters + 4)) { (0x41...0x49).contains($0) }
    return end > letters && text.value(at: end, before: limit) == 0x5a ? end + 1 : nil
  }

  private func chameleonSpaces(_ text: ScalarText, _ start: Int, _ limit: Int) -> Int? {
    if text.values[start] == 0x09 || text.values[start] == 0x0a { return start + 1 }
    return Self.end(of: "    ", text, start, limit) ?? Self.end(of: "  ", text, start, limit)
  }

  private static func end(of string: String, _ text: ScalarText, _ start: Int, _ limit: Int) -> Int? {
    var index = start
    for scalar in string.unicodeScalars {
      guard text.value(at: index, before: limit) == scalar.value else { return nil }
      index += 1
    }
    return index
  }

  /// What may follow signs in the same piece.
  private enum SignEnds {
    case none
    case newlines
    case newlinesAndSlashes
    case oneNewlineOrSlash
  }

  /// ` ?[^…]+` and what may follow it.
  private static func signs(_ text: ScalarText, _ start: Int, _ limit: Int, outside: CharacterClass, ends: SignEnds) -> Int? {
    let first = text.values[start] == 0x20 ? start + 1 : start
    guard text.isNone(outside, at: first, before: limit) else { return nil }
    let end = text.endOfRun(without: outside, from: first, before: limit)
    switch ends {
    case .none: return end
    case .newlines: return text.endOfRun(.newline, from: end, before: limit)
    case .newlinesAndSlashes: return text.endOfRun(from: end, before: limit, where: isNewlineOrSlash)
    case .oneNewlineOrSlash: return text.value(at: end, before: limit).map(isNewlineOrSlash) == true ? end + 1 : end
    }
  }

  private static func isNewlineOrSlash(_ value: UInt32) -> Bool { value == 0x0d || value == 0x0a || value == 0x2f }

  /// `\s*[\r\n]+|\s{512}(?!\S)|\s{256}(?!\S)|…|\s{4}(?!\S)|\s{1,2}(?!\S)|\s`
  private static func steppedSpaces(_ text: ScalarText, _ start: Int, _ limit: Int) -> Int? {
    let end = text.endOfRun(.space, from: start, before: limit)
    guard end > start else { return nil }
    if let newline = (start..<end).last(where: { text.classes[$0].contains(.newline) }) { return newline + 1 }
    // `(?!\S)`: followed by white space or the end of the text.
    func fits(_ count: Int) -> Bool { start + count < end || (start + count == end && end == limit) }
    for count in [512, 256, 128, 64, 32, 16, 8, 4, 2] where fits(count) { return start + count }
    return start + 1
  }

  /// `\s*[\r\n]+|\s+(?!\S)|\s+`, with the first alternative only if `breakingAtNewline`.
  private static func spaces(_ text: ScalarText, _ start: Int, _ limit: Int, breakingAtNewline: Bool) -> Int? {
    let end = text.endOfRun(.space, from: start, before: limit)
    guard end > start else { return nil }
    if breakingAtNewline, let newline = (start..<end).last(where: { text.classes[$0].contains(.newline) }) { return newline + 1 }
    return end < limit && end - start > 1 ? end - 1 : end
  }

  /// `'s|'t|'re|'ve|'m|'ll|'d`
  private static func contraction(_ text: ScalarText, _ start: Int, _ limit: Int, ignoringCase: Bool) -> Int? {
    guard text.value(at: start, before: limit) == 0x27 else { return nil }
    func letter(_ index: Int) -> Unicode.Scalar? {
      guard let value = text.value(at: index, before: limit) else { return nil }
      // If case is ignored, the long s is also an s.
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
