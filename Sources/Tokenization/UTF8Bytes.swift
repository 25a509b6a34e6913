// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Properties of UTF-8 byte sequences.
enum UTF8Bytes {
  /// Returns the number of bytes in a character that begins with `lead`; 1 for a byte that does not begin a character.
  static func length(of lead: UInt8) -> Int {
    switch lead {
    case 0xc0..<0xe0: 2
    case 0xe0..<0xf0: 3
    case 0xf0...: 4
    default: 1
    }
  }

  /// Reads the scalar at `index`: its value and length, or nil if no well-formed one begins there (Unicode, table 3-7).
  ///
  /// - Precondition: `0 <= index < bytes.count`.
  static func scalar(_ bytes: Span<UInt8>, _ index: Int) -> (value: UInt32, length: Int)? {
    let lead = bytes[index]
    if lead < 0x80 { return (UInt32(lead), 1) }
    guard lead >= 0xc2, lead < 0xf5 else { return nil }
    let length = length(of: lead)
    guard index + length <= bytes.count, secondRange(lead).contains(bytes[index + 1]) else { return nil }
    var value = UInt32(lead) & (0xff >> (UInt32(length) + 1))
    for offset in 1..<length {
      let byte = bytes[index + offset]
      guard byte & 0xc0 == 0x80 else { return nil }
      value = value << 6 | UInt32(byte & 0x3f)
    }
    return (value, length)
  }

  /// Appends the UTF-8 form of a scalar.
  ///
  /// - Precondition: `value` is a Unicode scalar value.
  static func append(_ value: UInt32, to bytes: inout [UInt8]) {
    switch value {
    case ..<0x80: bytes.append(UInt8(truncatingIfNeeded: value))
    case ..<0x800:
      bytes.append(0xc0 | UInt8(truncatingIfNeeded: value >> 6))
      bytes.append(continuation(value))
    case ..<0x10000:
      bytes.append(0xe0 | UInt8(truncatingIfNeeded: value >> 12))
      bytes.append(continuation(value >> 6))
      bytes.append(continuation(value))
    default:
      bytes.append(0xf0 | UInt8(truncatingIfNeeded: value >> 18))
      bytes.append(continuation(value >> 12))
      bytes.append(continuation(value >> 6))
      bytes.append(continuation(value))
    }
  }

  private static func continuation(_ value: UInt32) -> UInt8 { 0x80 | UInt8(truncatingIfNeeded: value & 0x3f) }

  /// Returns how many bytes at the end, 0 to 3, begin a character that further bytes could complete.
  static func incompleteTail(_ bytes: Span<UInt8>) -> Int {
    for length in 1...3 where length <= bytes.count {
      let lead = bytes[bytes.count - length]
      if lead & 0xc0 == 0x80 { continue }
      guard lead >= 0xc2, lead < 0xf5, Self.length(of: lead) > length else { return 0 }
      if length >= 2, !secondRange(lead).contains(bytes[bytes.count - length + 1]) { return 0 }
      return length
    }
    return 0
  }

  /// Returns the bytes that may follow a lead byte. Others would make an overlong form, a surrogate or a value above U+10FFFF.
  private static func secondRange(_ lead: UInt8) -> ClosedRange<UInt8> {
    switch lead {
    case 0xe0: 0xa0...0xbf
    case 0xed: 0x80...0x9f
    case 0xf0: 0x90...0xbf
    case 0xf4: 0x80...0x8f
    default: 0x80...0xbf
    }
  }
}
