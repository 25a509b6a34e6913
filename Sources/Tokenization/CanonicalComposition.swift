// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Unicode's normal form C (Unicode Standard Annex 15): characters and their marks are joined to single characters where these
/// exist.
///
/// A model whose tokenizer composes has never seen an `e` followed by a combining accent in training. Without composition, this
/// would become two tokens instead of one, and the second would mean nothing to the model.
enum CanonicalComposition {
  /// Returns the text in normal form C, or nil if it already is. Bytes that are not UTF-8 are not changed.
  ///
  /// - Complexity: O(n) for n bytes, except that runs of combining marks are sorted.
  static func composed(_ text: Span<UInt8>) -> [UInt8]? {
    guard needsWork(text) else { return nil }
    var output: [UInt8] = []
    output.reserveCapacity(text.count)
    // A character that never joins the one before it, followed by those that may join it.
    var segment: [UInt32] = []
    var index = 0
    while index < text.count {
      guard let (value, length) = UTF8Bytes.scalar(text, index) else {
        flush(&segment, &output)
        output.append(text[index])
        index += 1
        continue
      }
      if !isChecked(value) { flush(&segment, &output) }
      segment.append(value)
      index += length
    }
    flush(&segment, &output)
    return output
  }

  /// Whether some character may change or join another. All such characters are at least U+0300, so their first byte is at least
  /// 0xCC.
  private static func needsWork(_ text: Span<UInt8>) -> Bool {
    var index = 0
    while index < text.count {
      if text[index] < 0xcc {
        index += 1
      } else if let (value, length) = UTF8Bytes.scalar(text, index) {
        if isChecked(value) { return true }
        index += length
      } else {
        index += 1
      }
    }
    return false
  }

  private static let checked = ScalarRanges(CompositionTables.checked)

  private static func isChecked(_ value: UInt32) -> Bool { value >= 0x300 && checked.contains(value) }

  private static func flush(_ segment: inout [UInt32], _ output: inout [UInt8]) {
    if segment.count > 1 || segment.first.map(isChecked) == true { segment = compose(decompose(segment)) }
    for value in segment { UTF8Bytes.append(value, to: &output) }
    segment.removeAll(keepingCapacity: true)
  }

  private struct Part {
    var value: UInt32
    /// Its canonical combining class; 0 for a character that others combine with.
    var combiningClass: UInt8
  }

  /// Returns the characters decomposed, with each run of marks sorted by class.
  private static func decompose(_ segment: [UInt32]) -> [Part] {
    var parts: [Part] = []
    for value in segment { append(value, to: &parts) }
    var start = 0
    while start < parts.count {
      guard parts[start].combiningClass != 0 else {
        start += 1
        continue
      }
      var end = start
      while end < parts.count, parts[end].combiningClass != 0 { end += 1 }
      // Marks of the same class keep their order.
      let order = (start..<end).sorted { (parts[$0].combiningClass, $0) < (parts[$1].combiningClass, $1) }
      parts.replaceSubrange(start..<end, with: order.map { parts[$0] })
      start = end
    }
    return parts
  }

  private static func append(_ value: UInt32, to parts: inout [Part]) {
    if let syllable = Hangul.decomposition(of: value) {
      parts += syllable.map { Part(value: $0, combiningClass: 0) }
    } else if let (first, second) = decompositions[value] {
      append(first, to: &parts)
      if second != 0 { append(second, to: &parts) }
    } else {
      // The tables are older than newer versions of Unicode, so a character that became a mark later does not count as one.
      let mark = isChecked(value) ? Unicode.Scalar(value) : nil
      parts.append(Part(value: value, combiningClass: mark?.properties.canonicalCombiningClass.rawValue ?? 0))
    }
  }

  private static func compose(_ parts: [Part]) -> [UInt32] {
    var result: [UInt32] = []
    var starter: Int?
    // The class of the last character since the starter that did not join it; nil if there is none.
    var last: UInt8?
    for part in parts {
      let isBlocked = last.map { $0 >= part.combiningClass } ?? false
      if let starter, !isBlocked, let whole = compose(result[starter], part.value) {
        result[starter] = whole
        continue
      }
      if part.combiningClass == 0 {
        starter = result.count
        last = nil
      } else {
        last = part.combiningClass
      }
      result.append(part.value)
    }
    return result
  }

  private static func compose(_ first: UInt32, _ second: UInt32) -> UInt32? {
    Hangul.composition(of: first, second) ?? compositions[UInt64(first) << 32 | UInt64(second)]
  }

  private static let decompositions: [UInt32: (first: UInt32, second: UInt32)] = {
    var result: [UInt32: (first: UInt32, second: UInt32)] = [:]
    let table = CompositionTables.decompositions
    for index in stride(from: 0, to: table.count, by: 3) {
      result[table[index]] = (table[index + 1] & 0x7fff_ffff, table[index + 2])
    }
    return result
  }()

  /// The whole of each pair of parts; the first part is in the upper half of the key.
  private static let compositions: [UInt64: UInt32] = {
    var result: [UInt64: UInt32] = [:]
    let table = CompositionTables.decompositions
    for index in stride(from: 0, to: table.count, by: 3) where table[index + 1] >> 31 == 0 {
      result[UInt64(table[index + 1]) << 32 | UInt64(table[index + 2])] = table[index]
    }
    return result
  }()
}

/// Korean syllables and the letters that they consist of (The Unicode Standard, section 3.12).
private enum Hangul {
  private static let (syllables, leading, vowels, trailing): (UInt32, UInt32, UInt32, UInt32) = (0xac00, 0x1100, 0x1161, 0x11a7)
  private static let (leadingCount, vowelCount, trailingCount): (UInt32, UInt32, UInt32) = (19, 21, 28)

  static func decomposition(of value: UInt32) -> [UInt32]? {
    guard value >= syllables, value - syllables < leadingCount * vowelCount * trailingCount else { return nil }
    let index = value - syllables
    let parts = [leading + index / (vowelCount * trailingCount), vowels + index / trailingCount % vowelCount]
    return index % trailingCount == 0 ? parts : parts + [trailing + index % trailingCount]
  }

  static func composition(of first: UInt32, _ second: UInt32) -> UInt32? {
    if first >= leading, first - leading < leadingCount, second >= vowels, second - vowels < vowelCount {
      return syllables + ((first - leading) * vowelCount + second - vowels) * trailingCount
    }
    guard first >= syllables, first - syllables < leadingCount * vowelCount * trailingCount,
      (first - syllables) % trailingCount == 0, second > trailing, second - trailing < trailingCount
    else { return nil }
    return first + second - trailing
  }
}
