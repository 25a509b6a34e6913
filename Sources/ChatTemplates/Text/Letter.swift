// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A Unicode scalar with a mark that says whether it came from the input.
///
/// This is how input is distinguished from the template's own text: each scalar keeps its mark through all string operations. Two
/// letters are equal if their scalars are equal, whatever their marks.
struct Letter: Hashable, Sendable {
  /// The scalar in the low 21 bits, and the mark of input in the highest bit.
  private let bits: UInt32

  private static let inputBit: UInt32 = 1 << 31

  init(_ scalar: Unicode.Scalar, isInput: Bool = false) {
    bits = scalar.value | (isInput ? Self.inputBit : 0)
  }

  /// The code point.
  var code: UInt32 { bits & ~Self.inputBit }
  var isInput: Bool { bits & Self.inputBit != 0 }
  // The low bits came from a scalar, so this never fails.
  var scalar: Unicode.Scalar { Unicode.Scalar(code) ?? "\u{FFFD}" }

  /// Returns another scalar with the mark of this one.
  func replaced(by scalar: Unicode.Scalar) -> Letter { Letter(scalar, isInput: isInput) }

  static func == (left: Letter, right: Letter) -> Bool { left.code == right.code }
  static func == (left: Letter, right: Unicode.Scalar) -> Bool { left.code == right.value }
  static func != (left: Letter, right: Unicode.Scalar) -> Bool { left.code != right.value }

  func hash(into hasher: inout Hasher) { hasher.combine(code) }
}

/// What Python's `str` methods know about a single character.
extension Letter {
  var isSpace: Bool {
    switch code {
    case 0x09...0x0D, 0x1C...0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: true
    default: false
    }
  }

  /// Whether `splitlines` ends a line here.
  var isLineBreak: Bool {
    switch code {
    case 0x0A...0x0D, 0x1C...0x1E, 0x85, 0x2028, 0x2029: true
    default: false
    }
  }

  var isAlphabetic: Bool {
    if code < 0x80 { return (code | 0x20) >= 0x61 && (code | 0x20) <= 0x7A }
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: return true
    default: return false
    }
  }

  var isDecimal: Bool { code < 0x80 ? code >= 0x30 && code <= 0x39 : scalar.properties.generalCategory == .decimalNumber }

  var isDigit: Bool {
    if code < 0x80 { return isDecimal }
    return scalar.properties.numericType == .decimal || scalar.properties.numericType == .digit
  }

  var isNumeric: Bool { code < 0x80 ? isDecimal : scalar.properties.numericType != nil }
  var isAlphanumeric: Bool { isAlphabetic || isDecimal || isDigit || isNumeric }
  var isUppercase: Bool { code < 0x80 ? code >= 0x41 && code <= 0x5A : scalar.properties.isUppercase }
  var isLowercase: Bool { code < 0x80 ? code >= 0x61 && code <= 0x7A : scalar.properties.isLowercase }
  var isTitlecase: Bool { code >= 0x80 && scalar.properties.generalCategory == .titlecaseLetter }
  var isCased: Bool { isUppercase || isLowercase || isTitlecase }

  /// Whether `repr` shows the character without an escape.
  var isPrintable: Bool {
    if code < 0x80 { return code >= 0x20 && code < 0x7F }
    switch scalar.properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator, .spaceSeparator: return false
    default: return true
    }
  }

  /// The value of a hexadecimal digit; nil for another character.
  var hexadecimalValue: UInt32? {
    switch code {
    case 0x30...0x39: code - 0x30
    case 0x41...0x46: code - 0x41 + 10
    case 0x61...0x66: code - 0x61 + 10
    default: nil
    }
  }
}
