// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The classes of a character that matter to the rules for splitting text into words.
struct CharacterClass: OptionSet, Sendable {
  let rawValue: UInt16

  /// `\p{L}`.
  static let letter = CharacterClass(rawValue: 1)
  /// `\p{N}`: decimal digits, letters used as numbers, fractions and similar characters.
  static let number = CharacterClass(rawValue: 2)
  /// `\p{P}`.
  static let punctuation = CharacterClass(rawValue: 4)
  /// `\p{S}`.
  static let symbol = CharacterClass(rawValue: 8)
  /// `\p{M}`.
  static let mark = CharacterClass(rawValue: 16)
  /// `\s`: Unicode's White_Space.
  static let space = CharacterClass(rawValue: 32)
  /// Carriage return and line feed.
  static let newline = CharacterClass(rawValue: 64)
  /// `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`: the characters that can begin a word in rules that split by case.
  static let upper = CharacterClass(rawValue: 128)
  /// `[\p{Ll}\p{Lm}\p{Lo}\p{M}]`: the characters that can follow in such a word.
  static let lower = CharacterClass(rawValue: 256)
  /// `\p{Han}`: the script of Chinese characters.
  static let han = CharacterClass(rawValue: 512)
  /// `\d`: decimal digits.
  static let decimal = CharacterClass(rawValue: 1024)
  /// `\p{Pc}`: the underscore and similar characters.
  static let connector = CharacterClass(rawValue: 2048)
  /// `\w`: the characters of words in regular expressions.
  static let word: CharacterClass = [.letter, .mark, .decimal, .connector]

  /// Returns the classes of a scalar; for a value that is not a scalar, those of U+FFFD.
  static func of(_ value: UInt32) -> CharacterClass {
    if value < 0x80 { return ascii[Int(value)] }
    return computed(Unicode.Scalar(value) ?? "\u{fffd}")
  }

  private static let ascii = (0..<UInt8(128)).map { computed(Unicode.Scalar($0)) }

  private static func computed(_ scalar: Unicode.Scalar) -> CharacterClass {
    let properties = scalar.properties
    var result: CharacterClass =
      switch properties.generalCategory {
      case .uppercaseLetter, .titlecaseLetter: [.letter, .upper]
      case .lowercaseLetter: [.letter, .lower]
      case .modifierLetter, .otherLetter: [.letter, .upper, .lower]
      case .nonspacingMark, .spacingMark, .enclosingMark: [.mark, .upper, .lower]
      case .decimalNumber: [.number, .decimal]
      case .letterNumber, .otherNumber: .number
      case .connectorPunctuation: [.punctuation, .connector]
      case .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation, .finalPunctuation, .otherPunctuation:
        .punctuation
      case .mathSymbol, .currencySymbol, .modifierSymbol, .otherSymbol: .symbol
      default: []
      }
    if properties.isWhitespace { result.insert(.space) }
    if scalar == "\r" || scalar == "\n" { result.insert(.newline) }
    if scalar.value >= 0x2e80, ScalarRanges.han.contains(scalar.value) { result.insert(.han) }
    return result
  }
}

/// A set of scalars, stored as ascending ranges.
struct ScalarRanges: Sendable {
  private let ranges: [ClosedRange<UInt32>]

  init(_ ranges: [ClosedRange<UInt32>]) { self.ranges = ranges }

  /// Whether `value` is in the set.
  ///
  /// - Complexity: O(log n) for n ranges.
  func contains(_ value: UInt32) -> Bool {
    var low = 0
    var high = ranges.count
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].upperBound < value { low = middle + 1 } else { high = middle }
    }
    return low < ranges.count && ranges[low].contains(value)
  }

  /// The script Han (Unicode 16, Scripts.txt).
  static let han = ScalarRanges([
    0x2e80...0x2e99, 0x2e9b...0x2ef3, 0x2f00...0x2fd5, 0x3005...0x3005, 0x3007...0x3007, 0x3021...0x3029, 0x3038...0x303b,
    0x3400...0x4dbf, 0x4e00...0x9fff, 0xf900...0xfa6d, 0xfa70...0xfad9, 0x16fe2...0x16fe3, 0x16ff0...0x16ff1, 0x20000...0x2a6df,
    0x2a700...0x2b739, 0x2b740...0x2b81d, 0x2b820...0x2cea1, 0x2ceb0...0x2ebe0, 0x2ebf0...0x2ee5d, 0x2f800...0x2fa1d,
    0x30000...0x3134a, 0x31350...0x323af,
  ])
}
