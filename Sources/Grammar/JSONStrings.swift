// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Patterns for JSON strings.
enum JSONStrings {
  /// The characters that JSON writes without an escape.
  static let plain: [ClosedRange<UInt32>] = [0x20...0x21, 0x23...0x5B, 0x5D...0x10FFFF]

  /// Any character of a string, written directly or as an escape; beyond U+FFFF, as the escapes of a surrogate pair. An escape of a
  /// single surrogate is not allowed, so that each match is one character.
  static let character: Pattern = .choice([
    .characters(plain),
    .sequence([.text("\\"), .choice([.bytes(escapes), .sequence([.text("u"), .choice([unit, pair])])])]),
  ])

  private static let escapes: ByteSet = {
    var set = ByteSet()
    for byte in "\"\\/bfnrt".utf8 { set.insert(byte) }
    return set
  }()

  private static let hexadecimal: Pattern = .characters([0x30...0x39, 0x41...0x46, 0x61...0x66])

  /// Four hexadecimal digits that are not a surrogate, which would begin with D8 to DF.
  private static let unit: Pattern = .choice([
    .sequence([
      .characters([0x30...0x39, 0x41...0x43, 0x45...0x46, 0x61...0x63, 0x65...0x66]), hexadecimal, hexadecimal, hexadecimal,
    ]),
    .sequence([.characters([0x44...0x44, 0x64...0x64]), .characters([0x30...0x37]), hexadecimal, hexadecimal]),
  ])

  /// What follows the first `\\u` of a surrogate pair: the digits of the high surrogate, D800 to DBFF, and the escape of the low
  /// one, DC00 to DFFF.
  private static let pair: Pattern = {
    let d = Pattern.characters([0x44...0x44, 0x64...0x64])
    let high: Pattern = .sequence([d, .characters([0x38...0x39, 0x41...0x42, 0x61...0x62]), hexadecimal, hexadecimal])
    let low: Pattern = .sequence([d, .characters([0x43...0x46, 0x63...0x66]), hexadecimal, hexadecimal])
    return .sequence([high, .text("\\u"), low])
  }()

  /// Returns a pattern for one character from some ranges, each written in only one way.
  static func characters(_ ranges: [ClosedRange<UInt32>], error: GrammarError) throws(GrammarError) -> Pattern {
    var choices: [Pattern] = []
    let asThemselves = ranges.complement.union(plain.complement).complement
    if !asThemselves.isEmpty { choices.append(.characters(asThemselves)) }
    for (code, escape) in [
      (0x22, "\\\""), (0x5C, "\\\\"), (0x08, "\\b"), (0x0C, "\\f"), (0x0A, "\\n"), (0x0D, "\\r"), (0x09, "\\t"),
    ]
      as [(UInt32, String)]
    where ranges.contains(where: { $0.contains(code) }) {
      choices.append(.text(escape))
    }
    guard !choices.isEmpty else { throw error }
    return .choice(choices)
  }

  static func quoted(_ inner: Pattern) -> Pattern { .sequence([.text("\""), inner, .text("\"")]) }
}

extension [ClosedRange<UInt32>] {
  func union(_ others: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] { self + others }
}
