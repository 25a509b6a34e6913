// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The letters that byte-level vocabularies write bytes in, so that every token is printable text.
///
/// Bytes that are visible in Latin-1 are written as themselves; the others, in order, as the letters from U+0100 on (GPT-2).
enum ByteAlphabet {
  /// The byte of each scalar value below 0x144, or -1.
  private static let bytes: [Int16] = {
    var result = [Int16](repeating: -1, count: 0x144)
    var next = 0x100
    for byte in 0..<256 {
      if (0x21...0x7e).contains(byte) || (0xa1...0xac).contains(byte) || (0xae...0xff).contains(byte) {
        result[byte] = Int16(byte)
      } else {
        result[next] = Int16(byte)
        next += 1
      }
    }
    return result
  }()

  /// Whether `text` consists only of letters of the alphabet.
  static func covers(_ text: Span<UInt8>) -> Bool {
    var index = 0
    while index < text.count {
      guard let (value, length) = UTF8Bytes.scalar(text, index), value < 0x144, bytes[Int(value)] >= 0 else { return false }
      index += length
    }
    return true
  }

  /// Calls `body` with each byte that `text` stands for. A character outside the alphabet stands for its own bytes.
  static func decode(_ text: Span<UInt8>, _ body: (UInt8) -> Void) {
    var index = 0
    while index < text.count {
      let (value, length) = UTF8Bytes.scalar(text, index) ?? (UInt32.max, 1)
      if value < 0x144, bytes[Int(value)] >= 0 {
        body(UInt8(bytes[Int(value)]))
      } else {
        for place in index..<index + length { body(text[place]) }
      }
      index += length
    }
  }
}
