// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import Synchronization

/// A line on the terminal that shows how far a long work has come; nothing where standard error is not a terminal.
package final class Progress: Sendable {
  private typealias Clock = ContinuousClock

  /// Work that is done at once shows no line.
  private static let delay = Duration.milliseconds(300)
  private static let interval = Duration.milliseconds(80)

  private struct State {
    var done = 0
    var drawn: Clock.Instant?
  }

  /// What is being done, such as `converting`.
  private let label: String
  /// Whether what is counted are bytes that a person thinks of, worth showing; else only the part done is shown.
  private let showsBytes: Bool
  private let start = Clock.now
  private let state = Mutex(State())
  private let isShown: Bool

  /// Shows the progress of a work called `label`, unless it `isQuiet`.
  package init(_ label: String, showsBytes: Bool, isQuiet: Bool = false) {
    self.label = label
    self.showsBytes = showsBytes
    isShown = !isQuiet && Terminal.isInteractive
  }

  deinit { finish() }

  /// Notes that `done` of `total` bytes are done; from any thread.
  package func show(_ done: Int, of total: Int) {
    guard isShown else { return }
    state.withLock { draw(&$0, done, total) }
  }

  /// Notes that `bytes` more of `total` are done; from any thread.
  package func advance(_ bytes: Int, of total: Int) {
    guard isShown else { return }
    state.withLock { draw(&$0, $0.done + bytes, total) }
  }

  /// Removes the line.
  package func finish() {
    state.withLock { state in
      if state.drawn != nil { Terminal.clearStatus() }
      state.drawn = nil
    }
  }

  private func draw(_ state: inout State, _ done: Int, _ total: Int) {
    state.done = done
    if done >= total {
      if state.drawn != nil { Terminal.clearStatus() }
      state.drawn = nil
      return
    }
    let now = Clock.now
    guard now - (state.drawn ?? start) > (state.drawn == nil ? Self.delay : Self.interval) else { return }
    state.drawn = now
    let line = ProgressLine(label: label, done: done, total: total, seconds: (now - start) / .seconds(1), showsBytes: showsBytes)
    Terminal.show(status: line.text(columns: Terminal.columns, isUTF8: Terminal.isUTF8))
  }
}

/// What the line says.
package struct ProgressLine {
  var label: String
  var done: Int
  var total: Int
  var seconds: Double
  var showsBytes: Bool

  /// Describes `done` of `total` bytes after `seconds`.
  package init(label: String, done: Int, total: Int, seconds: Double, showsBytes: Bool) {
    self.label = label
    self.done = done
    self.total = total
    self.seconds = seconds
    self.showsBytes = showsBytes
  }

  /// The line, in fewer columns than a terminal's: in the last one a terminal may begin another line. What there is no room for is
  /// left out, the bar first.
  package func text(columns: Int, isUTF8: Bool) -> String {
    let part = Double(done) / Double(max(total, 1))
    let percent = "\(Int(part * 100)) %"
    let left = done > 0 ? ["\(Self.time(seconds / part - seconds)) left"] : []
    let rate = "\(ByteCount(Int(Double(done) / max(seconds, 1e-6))))/s"
    let bytes = showsBytes ? ["\(ByteCount(done)) of \(ByteCount(total))", rate] : []
    let room = columns - 1
    for details in [bytes + left, left, []] {
      let text = ([percent] + details).joined(separator: ", ")
      let width = min(30, room - label.count - text.count - 4)
      if width >= 10 { return "\(label) [\(Bar(part: part).text(width, isUTF8: isUTF8))] \(text)" }
      if width >= -3 { return "\(label) \(text)" }
    }
    return String("\(label) \(percent)".prefix(max(room, 0)))
  }

  /// A time in hours, minutes and seconds: `5:57`, `1:02:03`.
  package static func time(_ seconds: Double) -> String {
    // A day's worth of hours is as good as any other guess from nearly nothing.
    let whole = Int(min(max(seconds, 0), 359_999).rounded(.up))
    func twoDigits(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
    let (hours, minutes) = (whole / 3600, whole / 60 % 60)
    return (hours > 0 ? "\(hours):\(twoDigits(minutes))" : "\(minutes)") + ":" + twoDigits(whole % 60)
  }
}
