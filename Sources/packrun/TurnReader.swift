// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Console
import Glibc

/// What a person types at the terminal, or what comes through a pipe, a turn at a time.
struct TurnReader {
  private var pending: [UInt8] = []
  private var lineNumber = 0

  private enum Line {
    case bytes([UInt8])
    case interrupted
    case end
  }

  /// The next turn that is not empty; nil at the end of the input. A line that ends with a backslash goes on in the next one.
  ///
  /// Ctrl-C at the prompt says how to leave; the next one leaves, and so does one right after the one that stopped an answer (see
  /// `Interrupt`).
  /// - Throws: `Failure` for a line of a pipe that is not UTF-8; a person at a terminal is asked again.
  mutating func next() throws -> String? {
    var turn = ""
    prompt("> ")
    while true {
      switch readLine() {
      case .end:
        if isAtTerminal { Output.write("\n") }
        return turn.isEmpty ? nil : turn
      case .interrupted:
        turn = ""
        if isAtTerminal {
          Output.write("\n")
          Terminal.note("Ctrl-C again, or Ctrl-D, quits")
        }
        prompt("> ")
      case .bytes(let bytes):
        Interrupt.clear()
        lineNumber += 1
        do {
          turn += try TextInput.decode(bytes, "line \(lineNumber)")
        } catch let error as Failure where isAtTerminal {
          Terminal.note(error.problem)
          turn = ""
        }
        if turn.hasSuffix("\\") {
          turn.removeLast()
          turn += "\n"
          prompt("… ")
        } else if turn.isEmpty {
          prompt("> ")
        } else {
          return turn
        }
      }
    }
  }

  private var isAtTerminal: Bool { StandardStream.input.isTerminal }

  private func prompt(_ text: String) { if isAtTerminal { Output.write(text) } }

  /// A line without its end.
  private mutating func readLine() -> Line {
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      if let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
        var line = Array(pending[..<end])
        pending.removeSubrange(...end)
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        return .bytes(line)
      }
      let count = unsafe buffer.withUnsafeMutableBytes { unsafe read(STDIN_FILENO, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR {
        guard Interrupt.isRequested else { continue }
        pending.removeAll()
        return .interrupted
      }
      guard count > 0 else {
        guard !pending.isEmpty else { return .end }
        defer { pending.removeAll() }
        return .bytes(pending)
      }
      pending += buffer[..<count]
    }
  }
}
