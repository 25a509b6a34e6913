// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc
import PackRuntime
import Synchronization

/// A bar on the terminal that shows how much of the weights is in its place; nothing where standard error is no terminal.
final class LoadProgress: Sendable {
  private struct State {
    var start = Clock.now
    var drawn: Clock.Instant?
  }

  private typealias Clock = ContinuousClock
  private static let width = 30
  /// No bar for what is there at once.
  private static let delay = Duration.milliseconds(300)
  private static let interval = Duration.milliseconds(80)

  private let state = Mutex(State())

  /// What `MemoryOptions.progress` calls; nil where nobody would see it.
  static func listener() -> (@Sendable (_ done: Int, _ total: Int) -> Void)? {
    guard isatty(STDERR_FILENO) == 1 else { return nil }
    let progress = LoadProgress()
    return { done, total in progress.show(done, total) }
  }

  private func show(_ done: Int, _ total: Int) {
    state.withLock { state in
      let now = Clock.now
      if done >= total {
        if state.drawn != nil { Self.write("\r\u{1B}[K") }
        state.drawn = nil
        return
      }
      guard now - (state.drawn ?? state.start) > (state.drawn == nil ? Self.delay : Self.interval) else { return }
      state.drawn = now
      Self.write(Self.line(done, total, seconds: (now - state.start) / .seconds(1)))
    }
  }

  static func line(_ done: Int, _ total: Int, seconds: Double) -> String {
    let part = Double(done) / Double(total)
    let filled = Int(part * Double(width))
    let bar = String(repeating: "█", count: filled) + String(repeating: " ", count: width - filled)
    let left = done > 0 ? ", \(Int((seconds / part - seconds).rounded(.up))) s left" : ""
    return "\rplacing the weights [\(bar)] \(Int(part * 100)) %\(left)\u{1B}[K"
  }

  private static func write(_ text: String) { Terminal.write(Array(text.utf8), to: STDERR_FILENO) }
}
