// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Reads marks and texts from the bytes received so far.
struct ByteReader {
  let bytes: [UInt8]
  var position: Int

  init(_ bytes: [UInt8], at position: Int = 0) {
    self.bytes = bytes
    self.position = position
  }

  var isAtEnd: Bool { position >= bytes.count }

  mutating func skipSpace() {
    while position < bytes.count, bytes[position].isSpace { position += 1 }
  }

  /// Consumes a mark; incomplete if the bytes end in the middle of it.
  mutating func take(_ mark: String) -> Attempt<Void> {
    let mark = Array(mark.utf8)
    let available = bytes[position...].prefix(mark.count)
    guard available.elementsEqual(mark.prefix(available.count)) else { return .invalid }
    guard available.count == mark.count else { return .incomplete }
    position += mark.count
    return .complete((), end: position)
  }

  func starts(with mark: String) -> Bool { bytes[position...].starts(with: mark.utf8) }

  /// Consumes the text before the first of some marks, but not the mark. Returns the text and the mark; nil if there is no mark.
  mutating func text(before marks: [String]) -> (text: String, mark: String)? {
    var best: (offset: Int, mark: String)?
    for mark in marks {
      guard let offset = bytes.firstIndex(of: Array(mark.utf8), from: position) else { continue }
      if best.map({ offset < $0.offset }) ?? true { best = (offset, mark) }
    }
    guard let best else { return nil }
    let text = String(decoding: bytes[position..<best.offset], as: UTF8.self)
    position = best.offset
    return (text, best.mark)
  }
}

extension UInt8 {
  var isSpace: Bool { self == 0x20 || (self >= 0x09 && self <= 0x0D) }
}

extension [UInt8] {
  func firstIndex(of mark: [UInt8], from start: Int) -> Int? {
    guard let first = mark.first, count >= mark.count else { return nil }
    var index = start
    while index + mark.count <= count {
      if self[index] == first, self[index..<index + mark.count].elementsEqual(mark) { return index }
      index += 1
    }
    return nil
  }

  /// Whether the bytes from an offset to the end are the beginning of a mark, but not the whole mark.
  func endsWithin(_ mark: [UInt8], at offset: Int) -> Bool {
    let rest = self[offset...]
    return rest.count < mark.count && rest.elementsEqual(mark.prefix(rest.count))
  }
}
