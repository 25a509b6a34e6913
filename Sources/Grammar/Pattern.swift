// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// What a part of a grammar matches.
indirect enum Pattern: Sendable {
  case bytes(ByteSet)
  case sequence([Pattern])
  case choice([Pattern])
  /// A pattern at least `minimum` times, and at most `maximum` times; nil: any number of times.
  case repetition(Pattern, minimum: Int, maximum: Int?)
  case rule(Int)

  static let empty = Pattern.sequence([])

  static func text(_ text: String) -> Pattern { .sequence(text.utf8.map { .bytes(ByteSet($0)) }) }
  static func optional(_ pattern: Pattern) -> Pattern { .choice([pattern, .empty]) }
  static func any(_ pattern: Pattern) -> Pattern { .repetition(pattern, minimum: 0, maximum: nil) }

  /// Returns a pattern for one character from some ranges of code points; surrogates are left out.
  static func characters(_ ranges: [ClosedRange<UInt32>]) -> Pattern {
    var choices: [Pattern] = []
    var ascii = ByteSet()
    var hasASCII = false
    for range in ranges {
      if range.lowerBound < 0x80 {
        hasASCII = true
        for code in range.lowerBound...min(range.upperBound, 0x7F) { ascii.insert(UInt8(code)) }
      }
      for (low, high) in [(0x80, 0x7FF), (0x800, 0xD7FF), (0xE000, 0xFFFF), (0x10000, 0x10FFFF)] as [(UInt32, UInt32)] {
        let first = max(range.lowerBound, low)
        let last = min(range.upperBound, high)
        if first <= last { choices += encoded(first, last) }
      }
    }
    if hasASCII { choices.append(.bytes(ascii)) }
    return choices.count == 1 ? choices[0] : .choice(choices)
  }

  /// Returns patterns for the UTF-8 of code points that all have the same number of bytes.
  private static func encoded(_ first: UInt32, _ last: UInt32) -> [Pattern] {
    func bytes(_ code: UInt32) -> [UInt8] { Unicode.Scalar(code).map { Array(String($0).utf8) } ?? [] }
    return ranges(bytes(first)[...], bytes(last)[...])
  }

  /// Returns patterns for byte strings of one length between two bounds, as ranges for each byte.
  private static func ranges(_ first: ArraySlice<UInt8>, _ last: ArraySlice<UInt8>) -> [Pattern] {
    guard let low = first.first, let high = last.first else { return [.empty] }
    let (lowRest, highRest) = (first.dropFirst(), last.dropFirst())
    if lowRest.isEmpty { return [.bytes(ByteSet(low...high))] }
    let least = ArraySlice([UInt8](repeating: 0x80, count: lowRest.count))
    let most = ArraySlice([UInt8](repeating: 0xBF, count: lowRest.count))
    func combined(_ head: ClosedRange<UInt8>, _ tails: [Pattern]) -> Pattern {
      .sequence([.bytes(ByteSet(head)), tails.count == 1 ? tails[0] : .choice(tails)])
    }
    if low == high { return [combined(low...low, ranges(lowRest, highRest))] }
    var result: [Pattern] = []
    var (from, to) = (low, high)
    if lowRest != least {
      result.append(combined(low...low, ranges(lowRest, most)))
      from += 1
    }
    if highRest != most {
      result.append(combined(high...high, ranges(least, highRest)))
      to -= 1
    }
    if from <= to { result.append(combined(from...to, ranges(least, most))) }
    return result
  }
}
