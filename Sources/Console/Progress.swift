// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import Synchronization

/// A line on the terminal that shows the progress of long work. Nothing is shown if standard error is not a terminal.
package final class Progress: Sendable {
  private typealias Clock = ContinuousClock

  /// Work that takes less time than this shows no line.
  private static let delay = Duration.milliseconds(300)
  private static let interval = Duration.milliseconds(80)

  private struct State {
    var done = 0
    var drawn: Clock.Instant?
  }

  /// The name of the work, such as `converting`.
  private let label: String
  /// Whether to show the byte counts, because they mean something to the user; otherwise only the percentage is shown.
  private let showsBytes: Bool
  private let start = Clock.now
  private let state = Mutex(State())
  private let isShown: Bool

  /// Shows the progress of the work `label`, unless `isQuiet`.
  package init(_ label: String, showsBytes: Bool, isQuiet: Bool = false) {
    self.label = label
    self.showsBytes = showsBytes
    isShown = !isQuiet && Terminal.isInteractive
  }

  deinit { finish() }

  /// Reports that `done` of `total` bytes are done; may be called from any thread.
  package func show(_ done: Int, of total: Int) {
    guard isShown else { return }
    state.withLock { draw(&$0, done, total) }
  }

  /// Reports that `bytes` more of `total` are done; may be called from any thread.
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

/// The content of the progress line.
package struct ProgressLine {
  var label: String
  var done: Int
  var total: Int
  var seconds: Double
  var showsBytes: Bool

  /// A line for `done` of `total` bytes after `seconds`.
  package init(label: String, done: Int, total: Int, seconds: Double, showsBytes: Bool) {
    self.label = label
    self.done = done
    self.total = total
    self.seconds = seconds
    self.showsBytes = showsBytes
  }

  /// Returns the line in at most `columns` - 1 columns, because in the last column a terminal may begin another line.
  ///
  /// Parts that do not fit are left out, the bar first.
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

  /// Returns a time in hours, minutes and seconds: `5:57`, `1:02:03`.
  package static func time(_ seconds: Double) -> String {
    // An estimate from almost no progress is only a guess, so it is limited to 100 hours.
    let whole = Int(min(max(seconds, 0), 359_999).rounded(.up))
    func twoDigits(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
    let (hours, minutes) = (whole / 3600, whole / 60 % 60)
    return (hours > 0 ? "\(hours):\(twoDigits(minutes))" : "\(minutes)") + ":" + twoDigits(whole % 60)
  }
}
