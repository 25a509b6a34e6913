// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Console
import ModelConsole

/// A reader of turns that a person types at the terminal, or that come through a pipe.
///
/// It is created before the weights are read, so that a long text pasted in the meantime arrives completely.
struct TurnReader: ~Copyable {
  private let terminal = UnbufferedTerminal()
  /// The editor for a person's text; nil in a pipe, or if the terminal cannot display it.
  private var editor: LineEditor?
  private let history: LineHistory?
  private var promptText = ""
  private var pending: ArraySlice<UInt8> = []
  private var lineNumber = 0

  /// - Parameters:
  ///   - edits: Whether a person at a terminal gets a line editor.
  ///   - history: The person's earlier texts, to which new ones are added.
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

  /// Returns the next turn that is not empty; nil at the end of the input. A line that ends with a backslash continues on the next one.
  ///
  /// Ctrl-C at the prompt says how to leave, and a second one leaves. Ctrl-C right after one that stopped an answer leaves too (see
  /// `Interrupt`).
  /// - Throws: `Failure` for a line that is too long, or for one from a pipe that is not UTF-8. A person at a terminal is asked again.
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

  /// Returns a line without its line end.
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
    // Pastes stay marked until the program ends, so that text pasted during an answer is one turn too.
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

  /// Reads what is available into `pending`, which must be empty. Returns `interrupted` if a watched signal arrives.
  private mutating func fill() throws -> Line {
    while true {
      do {
        pending = try StandardStream.input.read(upTo: 1 << 16)[...]
        return pending.isEmpty ? .end : .bytes([])
      } catch .interrupted {
        if Interrupt.isRequested { return .interrupted }
      } catch {
        // A terminal that was closed reports this error.
        if terminal != nil, error == .ioError { return .end }
        throw Failure.system("standard input", "read it", errno: error.rawValue)
      }
    }
  }
}
