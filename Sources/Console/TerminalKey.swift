// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A key, or its meaning in the line editors of shells.
enum TerminalKey: Equatable {
  case text(String)
  /// Text from the clipboard, which may have several lines.
  case paste(String)
  case enter
  /// A line end within the text.
  case newline
  case left, right, up, down, home, end, wordLeft, wordRight
  case deleteBackward, deleteForward, deleteWord, deleteWordForward, deleteToStart, deleteToEnd, insertDeleted
  /// Ctrl-D.
  case endOfInput
  case clearScreen
  /// Ctrl-R: search for an earlier text.
  case search
  /// Ctrl-G: leave the search.
  case cancel
  case unknown
}

/// Decodes a terminal's bytes into keys, however the bytes are divided (ECMA-48, and xterm's bracketed paste).
struct TerminalKeyDecoder {
  private enum State: Equatable {
    case text
    case escape
    case singleShift
    case sequence([UInt8])
    case paste([UInt8])
  }

  private var state = State.text
  /// The first bytes of a character that is still incomplete.
  private var started: [UInt8] = []

  private static let pasteEnd = Array("\u{1B}[201~".utf8)

  /// Takes a byte, and returns the key that it completes.
  mutating func take(_ byte: UInt8) -> TerminalKey? {
    switch state {
    case .text: return text(byte)
    case .escape: return escape(byte)
    case .singleShift:
      state = .text
      return Self.key(final: byte, parameters: [])
    case .sequence(var parameters):
      guard (0x40...0x7E).contains(byte) else {
        parameters.append(byte)
        state = parameters.count > 32 ? .text : .sequence(parameters)
        return nil
      }
      state = .text
      if byte == UInt8(ascii: "~"), parameters.elementsEqual("200".utf8) {
        state = .paste([])
        return nil
      }
      return Self.key(final: byte, parameters: parameters)
    case .paste(var bytes):
      // The array is taken out of the state, so that appending does not copy it.
      state = .text
      bytes.append(byte)
      if byte == UInt8(ascii: "~"), bytes.suffix(Self.pasteEnd.count).elementsEqual(Self.pasteEnd) {
        return .paste(String(decoding: bytes.dropLast(Self.pasteEnd.count), as: UTF8.self))
      }
      state = .paste(bytes)
      return nil
    }
  }

  private mutating func text(_ byte: UInt8) -> TerminalKey? {
    if !started.isEmpty || byte >= 0xC2 {
      started.append(byte)
      let length = started[0] < 0xE0 ? 2 : started[0] < 0xF0 ? 3 : 4
      guard started.count >= length else { return nil }
      defer { started = [] }
      return .text(String(decoding: started, as: UTF8.self))
    }
    switch byte {
    case 0x01: return .home
    case 0x02: return .left
    case 0x04: return .endOfInput
    case 0x05: return .end
    case 0x06: return .right
    case 0x07: return .cancel
    case 0x08, 0x7F: return .deleteBackward
    case 0x0A, 0x0D: return .enter
    case 0x0B: return .deleteToEnd
    case 0x0C: return .clearScreen
    case 0x0E: return .down
    case 0x10: return .up
    case 0x12: return .search
    case 0x15: return .deleteToStart
    case 0x17: return .deleteWord
    case 0x19: return .insertDeleted
    case 0x1B:
      state = .escape
      return nil
    case 0x09: return .text("\t")
    case 0x20...0x7E: return .text(String(Unicode.Scalar(byte)))
    default: return .unknown
    }
  }

  private mutating func escape(_ byte: UInt8) -> TerminalKey? {
    state = .text
    switch byte {
    case UInt8(ascii: "["):
      state = .sequence([])
      return nil
    case UInt8(ascii: "O"):
      state = .singleShift
      return nil
    case 0x0A, 0x0D: return .newline
    case 0x08, 0x7F: return .deleteWord
    case UInt8(ascii: "b"): return .wordLeft
    case UInt8(ascii: "d"): return .deleteWordForward
    case UInt8(ascii: "f"): return .wordRight
    default: return .unknown
    }
  }

  private static func key(final: UInt8, parameters: [UInt8]) -> TerminalKey {
    // `1;5` means with Ctrl, `1;3` with Alt.
    let isWithModifier = parameters.contains(UInt8(ascii: ";"))
    switch final {
    case UInt8(ascii: "A"): return .up
    case UInt8(ascii: "B"): return .down
    case UInt8(ascii: "C"): return isWithModifier ? .wordRight : .right
    case UInt8(ascii: "D"): return isWithModifier ? .wordLeft : .left
    case UInt8(ascii: "H"): return .home
    case UInt8(ascii: "F"): return .end
    case UInt8(ascii: "~"):
      switch String(decoding: parameters, as: UTF8.self) {
      case "1", "7": return .home
      case "4", "8": return .end
      case "3": return .deleteForward
      default: return .unknown
      }
    default: return .unknown
    }
  }
}
