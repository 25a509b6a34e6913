// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A line of any length that a person types key by key.
///
/// Backspace, Ctrl-W and Ctrl-U remove a character, a word and everything, as they do when the terminal collects the line. Other control
/// keys, arrow keys and function keys have no effect.
package struct TypedLine {
  /// What was ended: the line, or the whole input.
  package enum End { case line, input }

  private enum State { case text, escape, singleShift, sequence }

  /// The line so far.
  package private(set) var bytes: [UInt8] = []
  /// What the terminal should show for the keys since `takeEcho`.
  private var echo: [UInt8] = []
  /// The first bytes of a character that is still incomplete.
  private var started: [UInt8] = []
  private var state = State.text

  /// An empty line.
  package init() {}

  /// Takes keys from the front of `keys`, up to the one that ends the line or the input; nil if there is none among them.
  package mutating func take(_ keys: inout ArraySlice<UInt8>) -> End? {
    while let key = keys.popFirst() {
      if let end = take(key) { return end }
    }
    return nil
  }

  /// Returns what the terminal should show for the keys taken since the last call.
  package mutating func takeEcho() -> [UInt8] {
    defer { echo.removeAll(keepingCapacity: true) }
    return echo
  }

  private mutating func take(_ key: UInt8) -> End? {
    if key >= 0x20 {
      switch state {
      case .text: break
      case .escape:
        state = key == UInt8(ascii: "[") ? .sequence : key == UInt8(ascii: "O") ? .singleShift : .text
        return nil
      case .singleShift:
        state = .text
        return nil
      case .sequence:
        if (0x40...0x7E).contains(key) { state = .text }
        return nil
      }
    }
    state = .text
    switch key {
    case 0x0A, 0x0D:
      echo.append(0x0A)
      return .line
    case 0x04 where bytes.isEmpty: return .input
    case 0x08, 0x7F: removeCharacter()
    case 0x15: while !bytes.isEmpty { removeCharacter() }
    case 0x17: removeWord()
    case 0x1B: state = .escape
    case 0x09, 0x20...: add(key)
    default: break
    }
    return nil
  }

  private mutating func add(_ byte: UInt8) {
    bytes.append(byte)
    started.append(byte)
    guard started.count >= Self.length(startingWith: started[0]) else { return }
    for scalar in String(decoding: started, as: UTF8.self).unicodeScalars
    where Self.columns(scalar) > 0 || scalar.properties.isGraphemeExtend {
      // A tab is shown as one column, so that it can be removed again.
      echo += scalar == "\t" ? [0x20] : Array(String(scalar).utf8)
    }
    started.removeAll(keepingCapacity: true)
  }

  private mutating func removeWord() {
    while bytes.last == 0x20 || bytes.last == 0x09 { removeCharacter() }
    while let last = bytes.last, last != 0x20, last != 0x09 { removeCharacter() }
  }

  /// Removes the last character, and the marks that combine with it.
  private mutating func removeCharacter() {
    started.removeAll(keepingCapacity: true)
    while !bytes.isEmpty {
      var start = bytes.endIndex - 1
      while start > 0, bytes.endIndex - start < 4, bytes[start] & 0xC0 == 0x80 { start -= 1 }
      let width = String(decoding: bytes[start...], as: UTF8.self).unicodeScalars.reduce(0) { $0 + Self.columns($1) }
      bytes.removeSubrange(start...)
      for _ in 0..<width { echo += [0x08, 0x20, 0x08] }
      if width > 0 { return }
    }
  }

  /// Returns the number of bytes of a character that begins with this byte.
  private static func length(startingWith byte: UInt8) -> Int {
    switch byte {
    case 0xC2...0xDF: 2
    case 0xE0...0xEF: 3
    case 0xF0...0xF4: 4
    default: 1
    }
  }

  /// Returns the terminal columns that a character takes, by Unicode's East Asian widths.
  static func columns(_ scalar: Unicode.Scalar) -> Int {
    if scalar == "\t" { return 1 }
    switch scalar.properties.generalCategory {
    case .control, .format, .nonspacingMark, .enclosingMark, .lineSeparator, .paragraphSeparator: return 0
    default: break
    }
    return switch scalar.value {
    case 0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6,
      0x1F300...0x1F64F, 0x1F900...0x1FAFF, 0x20000...0x3FFFD:
      2
    default: 1
    }
  }
}
