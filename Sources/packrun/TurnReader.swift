// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Console

/// What a person types at the terminal, or what comes through a pipe, a turn at a time.
///
/// Made before the weights are read, so that a long text pasted in the meantime arrives whole.
struct TurnReader: ~Copyable {
  private let terminal = UnbufferedTerminal()
  /// Where a person can edit what they write; nil where the terminal cannot show it, and in a pipe.
  private var editor: LineEditor?
  private let history: LineHistory?
  private var promptText = ""
  private var pending: ArraySlice<UInt8> = []
  private var lineNumber = 0

  /// - Parameters:
  ///   - edits: Whether a person at a terminal gets a line editor.
  ///   - history: What they have written before; it is added to.
  init(edits: Bool = false, history: @autoclosure () -> LineHistory? = nil) {
    guard edits, terminal != nil, StandardStream.output.isTerminal, Terminal.canMoveCursor else {
      self.history = nil
      return
    }
    self.history = history()
    editor = LineEditor(history: self.history?.texts ?? [])
  }

  private enum Line {
    case bytes([UInt8])
    case interrupted
    case end
  }

  /// The next turn that is not empty; nil at the end of the input. A line that ends with a backslash continues in the next one.
  ///
  /// Ctrl-C at the prompt says how to leave; the next one leaves, and so does one right after the one that stopped an answer (see
  /// `Interrupt`).
  /// - Throws: `Failure` for a line that is too long, and for one of a pipe that is not UTF-8; a person at a terminal is asked again.
  mutating func next() throws -> String? {
    var turn = ""
    prompt("> ")
    while true {
      switch try readLine() {
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
          prompt(Terminal.isUTF8 ? "… " : "... ")
        } else if turn.isEmpty {
          prompt("> ")
        } else {
          editor?.remember(turn)
          history?.append(turn)
          return turn
        }
      }
    }
  }

  private var isAtTerminal: Bool { StandardStream.input.isTerminal }

  private mutating func prompt(_ text: String) {
    promptText = text
    if isAtTerminal, editor == nil { Output.write(text) }
  }

  /// A line without its end.
  private mutating func readLine() throws -> Line {
    if editor != nil { return try readEditedText() }
    if terminal != nil { return try readTypedLine() }
    var line: [UInt8] = []
    while true {
      if let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
        line += pending[..<end]
        pending = pending[(end + 1)...]
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        return .bytes(line)
      }
      line += pending
      pending = []
      try checkLength(line.count)
      switch try fill() {
      case .bytes: continue
      case .interrupted: return .interrupted
      case .end: return line.isEmpty ? .end : .bytes(line)
      }
    }
  }

  private mutating func readTypedLine() throws -> Line {
    terminal?.resume()
    var line = TypedLine()
    while true {
      let end = line.take(&pending)
      terminal?.show(line.takeEcho())
      switch end {
      case .line: return .bytes(line.bytes)
      case .input: return .end
      case nil: break
      }
      try checkLength(line.bytes.count)
      switch try fill() {
      case .bytes: continue
      case .interrupted: return .interrupted
      case .end: return line.bytes.isEmpty ? .end : .bytes(line.bytes)
      }
    }
  }

  private mutating func readEditedText() throws -> Line {
    terminal?.resume()
    // Until the program ends: what is pasted while an answer is written is one turn, too.
    terminal?.bracketPastes()
    editor?.begin(prompt: promptText, columns: Terminal.columns, rows: Terminal.rows)
    while true {
      if let output = editor?.takeOutput() { terminal?.show(output) }
      editor?.resize(columns: Terminal.columns, rows: Terminal.rows)
      if !pending.isEmpty, let end = editor?.take(&pending) {
        if let output = editor?.takeOutput() { terminal?.show(output) }
        return end == .input ? .end : .bytes(Array((editor?.text ?? "").utf8))
      }
      if let output = editor?.takeOutput() { terminal?.show(output) }
      try checkLength(editor?.text.utf8.count ?? 0)
      switch try fill() {
      case .bytes: continue
      case .interrupted: return .interrupted
      case .end: return .end
      }
    }
  }

  private func checkLength(_ count: Int) throws {
    guard count > TextInput.limitByteCount else { return }
    throw Failure("line \(lineNumber + 1): it is longer than \(TextInput.limit); give a part of it")
  }

  /// Reads what there is into `pending`, which is empty. A signal that asks for it discards everything.
  private mutating func fill() throws -> Line {
    while true {
      do {
        pending = try StandardStream.input.read(upTo: 1 << 16)[...]
        return pending.isEmpty ? .end : .bytes([])
      } catch .interrupted {
        if Interrupt.isRequested { return .interrupted }
      } catch {
        // What a terminal says once it has been closed.
        if terminal != nil, error == .ioError { return .end }
        throw Failure.system("standard input", "read it", errno: error.rawValue)
      }
    }
  }
}
