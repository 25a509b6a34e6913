// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import Testing

/// A terminal made by tmux, in which a program runs.
final class Tmux {
  private let socket = "ggufpack-\(UUID().uuidString)"

  static let isInstalled = (try? Program.run("/usr/bin/env", ["tmux", "-V"]))?.exitCode == 0

  init(_ command: [String], environment: [String: String] = [:], columns: Int = 100) throws {
    let words = environment.map { "\($0)=\($1)" } + command
    let line = words.map { "'\($0)'" }.joined(separator: " ")
    // The server keeps the streams that it is started with, so it must get none of our streams and pipes.
    let script = #"for n in $(seq 3 255); do eval "exec $n>&-"; done; exec tmux "$@" < /dev/null > /dev/null 2>&1"#
    let result = try Program.run(
      "/bin/bash",
      ["-c", script, "bash", "-L", socket, "-f", "/dev/null", "new-session", "-d", "-x", "\(columns)", "-y", "24"]
        + ["env \(line); echo ended with $?; sleep 1000"])
    try #require(result.exitCode == 0)
  }

  deinit { _ = try? tmux("kill-server") }

  @discardableResult
  private func tmux(_ arguments: String..., input: String = "") throws -> String {
    let result = try Program.run(
      "/usr/bin/env", ["tmux", "-L", socket, "-f", "/dev/null"] + arguments, input: Data(input.utf8))
    try #require(result.exitCode == 0, "\(arguments): \(result.errors)")
    return result.text
  }

  /// Types keys by tmux's names, and texts.
  func type(_ keys: String...) throws { for key in keys { try tmux("send-keys", key) } }

  /// Pastes a text, as with the mouse.
  func paste(_ text: String) throws {
    try tmux("load-buffer", "-", input: text)
    try tmux("paste-buffer", "-p")
  }

  /// Changes its width.
  func resize(columns: Int) throws { try tmux("resize-window", "-x", "\(columns)") }

  /// What it shows, including what has scrolled away.
  var screen: String { get throws { try tmux("capture-pane", "-p", "-S", "-200") } }

  /// The same, with the sequences for dimming and colours.
  var styledScreen: String { get throws { try tmux("capture-pane", "-p", "-e", "-S", "-200") } }

  /// Waits until the screen shows a text `count` times.
  func expect(_ text: String, count: Int = 1, seconds: Double = 30) throws -> Bool {
    let deadline = ContinuousClock().now + .seconds(seconds)
    while ContinuousClock().now < deadline {
      if try screen.ranges(of: text).count >= count { return true }
      usleep(50_000)
    }
    Issue.record("\(text) \(count) times is not on the screen:\n\(try screen)")
    return false
  }
}
