// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Patterns for JSON numbers within bounds.
enum JSONNumbers {
  private static let digit: Pattern = .characters([0x30...0x39])
  private static let nonZero: Pattern = .characters([0x31...0x39])

  /// The largest number of digits in a number without bounds; with more, a double would not be exact.
  private static let digits = 15

  static let integer: Pattern = .sequence([.optional(.text("-")), whole])
  private static let whole: Pattern = .choice([
    .text("0"), .sequence([nonZero, .repetition(digit, minimum: 0, maximum: digits - 1)]),
  ])

  static let number: Pattern = .sequence([
    integer, .optional(.sequence([.text("."), .repetition(digit, minimum: 1, maximum: digits)])),
    .optional(
      .sequence([
        .choice([.text("e"), .text("E")]), .optional(.choice([.text("+"), .text("-")])), .repetition(digit, minimum: 1, maximum: 2),
      ])),
  ])

  /// Returns a pattern for integers between two bounds, both included; nil if there are none.
  static func integer(from low: Int128?, to high: Int128?) -> Pattern? {
    decimal(from: low, to: high, places: 0, hasMore: false)
  }

  /// Returns a pattern for numbers `n / 10^places` with n between bounds; if `hasMore`, also for numbers between two of these.
  static func decimal(from low: Int128?, to high: Int128?, places: Int, hasMore: Bool) -> Pattern? {
    let unbounded: Int128 = 1_000_000_000_000_000
    let low = low ?? min(-unbounded, (high ?? 0) - unbounded)
    let high = high ?? max(unbounded, low + unbounded)
    guard low <= high else { return nil }
    var choices: [Pattern] = []
    // Adds magnitudes from `from` to `to`. They may have further digits if the next magnitude is also within the bounds.
    func add(_ sign: String, _ from: Int128, _ to: Int128) {
      guard from <= to else { return }
      for same in sameLength(from, to, places) { choices.append(.sequence([.text(sign), same])) }
      guard hasMore, from < to else { return }
      let more = Pattern.repetition(digit, minimum: 1, maximum: 6)
      for same in sameLength(from, to - 1, places) {
        choices.append(.sequence([.text(sign), same, places == 0 ? .text(".") : .empty, more]))
      }
    }
    add("", max(low, 0), high)
    add("-", max(-high, 1), -low)
    return choices.isEmpty ? nil : .choice(choices)
  }

  /// Returns a pattern for each number of digits that occurs between two numbers, which must not be negative.
  private static func sameLength(_ low: Int128, _ high: Int128, _ places: Int) -> [Pattern] {
    var patterns: [Pattern] = []
    var length = places + 1
    var first: Int128 = 0
    var last = power(length) - 1
    while first <= high {
      if last >= low { patterns.append(between(digits(max(low, first), length), digits(min(high, last), length), places)) }
      first = last + 1
      length += 1
      last = power(length) - 1
    }
    return patterns
  }

  private static func power(_ exponent: Int) -> Int128 { (0..<exponent).reduce(1) { power, _ in power * 10 } }

  private static func digits(_ number: Int128, _ length: Int) -> ArraySlice<UInt32> {
    let text = String(number)
    return ([UInt32](repeating: 0, count: length - text.utf8.count) + text.utf8.map { UInt32($0) - 0x30 })[...]
  }

  /// Returns a pattern for digit strings of one length between two; the point precedes the last `places` digits.
  private static func between(_ low: ArraySlice<UInt32>, _ high: ArraySlice<UInt32>, _ places: Int) -> Pattern {
    guard let first = low.first, let last = high.first else { return .empty }
    let point: Pattern = places > 0 && low.count == places ? .text(".") : .empty
    func digit(_ from: UInt32, _ to: UInt32) -> Pattern { .characters([0x30 + from...0x30 + to]) }
    let (lowRest, highRest) = (low.dropFirst(), high.dropFirst())
    if first == last { return .sequence([point, digit(first, first), between(lowRest, highRest, places)]) }
    let least = ArraySlice([UInt32](repeating: 0, count: lowRest.count))
    let most = ArraySlice([UInt32](repeating: 9, count: lowRest.count))
    var choices: [Pattern] = []
    var (from, to) = (first, last)
    if lowRest != least {
      choices.append(.sequence([digit(first, first), between(lowRest, most, places)]))
      from += 1
    }
    if highRest != most {
      choices.append(.sequence([digit(last, last), between(least, highRest, places)]))
      to -= 1
    }
    if from <= to { choices.append(.sequence([digit(from, to), free(lowRest.count, places)])) }
    return .sequence([point, .choice(choices)])
  }

  /// Returns a pattern for any digits, with the point among them.
  private static func free(_ count: Int, _ places: Int) -> Pattern {
    guard places > 0, count >= places else { return .repetition(digit, minimum: count, maximum: count) }
    return .sequence([
      .repetition(digit, minimum: count - places, maximum: count - places), .text("."),
      .repetition(digit, minimum: places, maximum: places),
    ])
  }
}
