// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import JSON

/// Divides a model's output, while it is written, into thinking, answer and calls of functions.
///
/// The output may be divided into pieces anywhere, even within a mark or a character; the events are the same in total. What cannot
/// be parsed as a call stays content. White space at the ends of reasoning and content is removed.
///
/// A parser keeps only what is still undecided. The caller must keep the whole output for the next prompt.
public struct TurnParser: Sendable {
  private enum State {
    case reasoning
    case content
    /// After the mark that opened a section; `hasCall` is true if a call has been read in it.
    case section(mark: [UInt8], hasCall: Bool)
    /// After the mark of a single call.
    case single(mark: [UInt8])
    /// After a brace at the beginning of the answer.
    case wholeAnswer
    case harmony(HarmonyParser)
  }

  private let format: TurnFormat
  private let reader: CallReader
  private var state: State
  private var pending: [UInt8] = []
  /// The length of `pending` when a call in it was last looked for without success.
  private var triedCount = 0
  private var reasoning = TrimmedText()
  private var content = TrimmedText()
  private var events: [TurnEvent] = []

  /// Makes a parser.
  ///
  /// - Parameters:
  ///   - format: The format in which the model writes.
  ///   - prompt: The prompt, or its end, which shows whether the model is already thinking.
  ///   - tools: The tools of the request in OpenAI's form. Their schemas say which arguments are strings.
  public init(format: TurnFormat, prompt: String = "", tools: JSONValue? = nil) {
    self.format = format
    reader = CallReader(types: ParameterTypes(tools: tools))
    state = format.isReasoning(after: prompt) ? .reasoning : .content
    if case .harmony = format.calls { state = .harmony(HarmonyParser()) }
  }

  /// Adds the next part of the output.
  ///
  /// - Returns: What has become certain by it.
  public mutating func append(_ bytes: some Sequence<UInt8>) -> [TurnEvent] {
    pending += bytes
    return run(isFinal: false)
  }

  /// Ends the output.
  ///
  /// - Returns: What was still undecided. An incomplete call is content.
  public mutating func finish() -> [TurnEvent] { run(isFinal: true) }

  /// Parses a whole output.
  public static func turn(of output: String, format: TurnFormat, prompt: String = "", tools: JSONValue? = nil) -> Turn {
    var parser = TurnParser(format: format, prompt: prompt, tools: tools)
    var turn = Turn()
    for event in parser.append(output.utf8) + parser.finish() { turn.append(event) }
    return turn
  }

  private mutating func run(isFinal: Bool) -> [TurnEvent] {
    while step(isFinal: isFinal) {}
    if isFinal {
      let rest = pending
      pending = []
      if case .reasoning = state {
        emit(rest, true, isFinal: true)
        emit([], false, isFinal: true)
      } else {
        emit([], true, isFinal: true)
        emit(rest, false, isFinal: true)
      }
    }
    defer { events = [] }
    return events
  }

  /// Makes one step; returns false if more output is needed.
  private mutating func step(isFinal: Bool) -> Bool {
    switch state {
    case .reasoning: return text(marks: format.reasoning.map { [$0.close] } ?? [], isReasoning: true)
    case .content: return contentStep(isFinal: isFinal)
    case .section(let mark, let hasCall): return section(mark, hasCall: hasCall, isFinal: isFinal)
    case .single(let mark): return single(mark, isFinal: isFinal)
    case .wholeAnswer: return wholeAnswer(isFinal: isFinal)
    case .harmony(var parser):
      let parts = parser.parts(of: &pending, isFinal: isFinal)
      state = .harmony(parser)
      for part in parts { add(part) }
      return false
    }
  }

  private mutating func add(_ part: HarmonyParser.Part) {
    switch part {
    case .reasoning(let bytes): emit(bytes, true)
    case .content(let bytes): emit(bytes, false)
    case .call(let call): events.append(.call(call))
    }
  }

  // MARK: Text

  private mutating func contentStep(isFinal: Bool) -> Bool {
    var marks = format.framing
    if let reasoning = format.reasoning { marks.append(reasoning.open) }
    switch format.calls {
    case .none, .harmony: break
    case .section(let open, _, _): marks += open
    case .single(let mark, _): marks.append(mark)
    case .wholeAnswer(let mark):
      marks.append(mark)
      let start = pending.firstIndex { !$0.isSpace }
      if content.isEmpty, let start, pending[start] == UInt8(ascii: "{") {
        pending.removeFirst(start)
        state = .wholeAnswer
        triedCount = 0
        return true
      }
    }
    return text(marks: marks, isReasoning: false)
  }

  /// Emits the text up to the first of some marks, and continues after the mark.
  private mutating func text(marks: [String], isReasoning: Bool) -> Bool {
    var found: (offset: Int, mark: [UInt8])?
    var held = 0
    for mark in marks.map({ Array($0.utf8) }) {
      if let offset = pending.firstIndex(of: mark, from: 0), found.map({ offset < $0.offset }) ?? true { found = (offset, mark) }
      // Find the longest end of the text that may be the beginning of a mark.
      for length in stride(from: min(mark.count - 1, pending.count), to: held, by: -1)
      where pending.endsWithin(mark, at: pending.count - length) {
        held = length
        break
      }
    }
    guard let found else {
      let ready = Array(pending.dropLast(held))
      pending.removeFirst(ready.count)
      emit(ready, isReasoning)
      return false
    }
    emit(Array(pending[..<found.offset]), isReasoning)
    pending.removeFirst(found.offset + found.mark.count)
    enter(found.mark, isReasoning)
    return true
  }

  /// Sets the state after a mark.
  private mutating func enter(_ mark: [UInt8], _ isReasoning: Bool) {
    triedCount = 0
    if isReasoning {
      state = .content
      return
    }
    func isMark(_ other: String) -> Bool { mark.elementsEqual(other.utf8) }
    if let reasoning = format.reasoning, isMark(reasoning.open) {
      state = .reasoning
      return
    }
    switch format.calls {
    case .section(let open, _, _) where open.contains(where: isMark): state = .section(mark: mark, hasCall: false)
    case .single(let open, _) where isMark(open): state = .single(mark: mark)
    case .wholeAnswer(let open) where isMark(open): state = .section(mark: mark, hasCall: false)
    default: break
    }
  }

  private mutating func emit(_ bytes: [UInt8], _ isReasoning: Bool, isFinal: Bool = false) {
    if isReasoning {
      let ready = reasoning.append(bytes, isFinal: isFinal)
      if !ready.isEmpty { events.append(.reasoning(ready)) }
    } else {
      let ready = content.append(bytes, isFinal: isFinal)
      if !ready.isEmpty { events.append(.content(ready)) }
    }
  }

  // MARK: Calls

  private var sectionSyntax: (close: [String], syntax: CallSyntax) {
    switch format.calls {
    case .section(_, let close, let syntax): (close, syntax)
    default: ([], .object)
    }
  }

  private mutating func section(_ mark: [UInt8], hasCall: Bool, isFinal: Bool) -> Bool {
    let (close, syntax) = sectionSyntax
    // Calls in a list are surrounded by brackets and separated by commas.
    let start = pending.firstIndex { !$0.isSpace && !"[],".utf8.contains($0) }
    guard let start else {
      if isFinal { leaveSection(mark, hasCall, upTo: pending.count) }
      return false
    }
    for close in close.map({ Array($0.utf8) }) {
      if pending[start...].starts(with: close) {
        pending.removeFirst(start + close.count)
        state = .content
        return true
      }
      if pending.endsWithin(close, at: start), !isFinal { return false }
    }
    guard isFinal || isWorthTrying(start) else { return false }
    switch reader.call(syntax, in: pending, at: start) {
    case .complete(let call, let end):
      events.append(.call(call))
      pending.removeFirst(end)
      triedCount = 0
      state = .section(mark: mark, hasCall: true)
      return true
    case .incomplete where !isFinal:
      triedCount = pending.count
      return false
    case .incomplete, .invalid:
      leaveSection(mark, hasCall, upTo: start)
      return true
    }
  }

  /// Continues with content. If the section contained no call, its mark was content, too.
  private mutating func leaveSection(_ mark: [UInt8], _ hasCall: Bool, upTo start: Int) {
    if !hasCall { emit(mark + pending[..<start], false) }
    pending.removeFirst(start)
    state = .content
    triedCount = 0
  }

  private mutating func single(_ mark: [UInt8], isFinal: Bool) -> Bool {
    guard case .single(_, let syntax) = format.calls, isFinal || isWorthTrying(0) else { return false }
    switch reader.call(syntax, in: pending, at: 0) {
    case .complete(let call, let end):
      events.append(.call(call))
      pending.removeFirst(end)
      state = .content
      return true
    case .incomplete where !isFinal:
      triedCount = pending.count
      return false
    case .incomplete, .invalid:
      emit(mark, false)
      state = .content
      return true
    }
  }

  /// Whether the output since the last attempt can have completed a call, or shown that there is none. Trying again after each
  /// token would take time quadratic in the length of a call.
  private mutating func isWorthTrying(_ start: Int) -> Bool {
    if triedCount <= start || pending.count - start < 1024 { return true }
    defer { triedCount = pending.count }
    return pending[triedCount...].contains { $0 == UInt8(ascii: "}") || $0 == UInt8(ascii: ">") }
  }

  private mutating func wholeAnswer(isFinal: Bool) -> Bool {
    guard isFinal || isWorthTrying(0) else { return false }
    switch reader.call(.object, in: pending, at: 0) {
    case .complete(let call, let end):
      guard pending[end...].allSatisfy(\.isSpace) else { break }
      guard isFinal else {
        triedCount = pending.count
        return false
      }
      events.append(.call(call))
      pending = []
      state = .content
      return false
    case .incomplete where !isFinal:
      triedCount = pending.count
      return false
    case .incomplete, .invalid: break
    }
    // The first brace is content, and so is what follows, because the answer has begun.
    emit([pending.removeFirst()], false)
    state = .content
    return true
  }
}

/// Text that comes in pieces, without white space at its ends, and divided only between characters.
struct TrimmedText: Sendable {
  private(set) var isEmpty = true
  /// White space that becomes text if more text follows, and the bytes of an incomplete character.
  private var held: [UInt8] = []

  /// Adds bytes, and returns the text that is certain now.
  mutating func append(_ bytes: [UInt8], isFinal: Bool) -> String {
    held += bytes
    if isEmpty { held.removeFirst(held.prefix(while: \.isSpace).count) }
    var end = isFinal ? held.count : held.count - held.unfinishedCount
    while end > 0, held[end - 1].isSpace { end -= 1 }
    guard end > 0 else { return "" }
    isEmpty = false
    defer { held.removeFirst(end) }
    return String(decoding: held[..<end], as: UTF8.self)
  }
}

extension [UInt8] {
  /// The number of bytes at the end that begin an incomplete character.
  fileprivate var unfinishedCount: Int {
    for length in 1...3 where length <= count {
      let byte = self[count - length]
      if byte & 0xC0 == 0x80 { continue }
      let whole = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1
      return whole > length ? length : 0
    }
    return 0
  }
}
