// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Upper, lower and title case, converted letter by letter as in Python.
extension Text {
  func uppercased() -> Text { mapped { $0.uppercaseMapping } }

  func lowercased() -> Text {
    var result: [Letter] = []
    result.reserveCapacity(count)
    for (index, letter) in letters.enumerated() { result += lowercase(letter, at: index) }
    return Text(result)
  }

  func capitalized() -> Text {
    guard let first = letters.first else { return self }
    var result = Self.mapped(first) { $0.titlecaseMapping }
    for (index, letter) in letters.enumerated().dropFirst() { result += lowercase(letter, at: index) }
    return Text(result)
  }

  func swappedCase() -> Text {
    var result: [Letter] = []
    for (index, letter) in letters.enumerated() {
      if letter.isUppercase {
        result += lowercase(letter, at: index)
      } else if letter.isLowercase {
        result += Self.mapped(letter) { $0.uppercaseMapping }
      } else {
        result.append(letter)
      }
    }
    return Text(result)
  }

  /// Returns the text with a capital at the beginning of words, which are runs of cased letters.
  func titled() -> Text {
    var result: [Letter] = []
    var isInWord = false
    for (index, letter) in letters.enumerated() {
      result += isInWord ? lowercase(letter, at: index) : Self.mapped(letter) { $0.titlecaseMapping }
      isInWord = letter.isCased
    }
    return Text(result)
  }

  /// Returns the text after full case folding. Unicode defines this by a table that Swift does not have. Almost everywhere it
  /// equals the lower case of the upper case of the lower case.
  func caseFolded() -> Text {
    mapped { properties in
      // The dotless i stays as it is.
      if properties.lowercaseMapping == "\u{131}" { return "\u{131}" }
      return properties.lowercaseMapping.uppercased().lowercased()
    }
  }

  private func mapped(_ mapping: (Unicode.Scalar.Properties) -> String) -> Text {
    var result: [Letter] = []
    result.reserveCapacity(count)
    for letter in letters { result += Self.mapped(letter, mapping) }
    return Text(result)
  }

  private static func mapped(_ letter: Letter, _ mapping: (Unicode.Scalar.Properties) -> String) -> [Letter] {
    mapping(letter.scalar.properties).unicodeScalars.map { letter.replaced(by: $0) }
  }

  /// Returns the lower case of a letter; a capital sigma at the end of a word becomes `ς`.
  private func lowercase(_ letter: Letter, at index: Int) -> [Letter] {
    if letter.code < 0x80 {
      return [letter.isUppercase ? letter.replaced(by: Unicode.Scalar(UInt8(letter.code + 0x20))) : letter]
    }
    guard letter == "\u{3A3}" else { return Self.mapped(letter) { $0.lowercaseMapping } }
    let before = letters[..<index].last { !$0.scalar.properties.isCaseIgnorable }
    let after = letters[(index + 1)...].first { !$0.scalar.properties.isCaseIgnorable }
    let isFinal = before?.isCased == true && after?.isCased != true
    return [letter.replaced(by: isFinal ? "\u{3C2}" : "\u{3C3}")]
  }
}
