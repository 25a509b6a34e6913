// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import Testing

/// A terminal of 100 columns in which packrun runs, made by tmux.
private final class Tmux {
  private let socket = "ggufpack-\(UUID().uuidString)"

  static let isInstalled = (try? Program.run("/usr/bin/env", ["tmux", "-V"]))?.exitCode == 0

  init(_ command: [String], environment: [String: String]) throws {
    let words = environment.map { "\($0)=\($1)" } + command
    let line = words.map { "'\($0)'" }.joined(separator: " ")
    // The server keeps what it is started with, so it must have none of our streams and pipes.
    let script = #"for n in $(seq 3 255); do eval "exec $n>&-"; done; exec tmux "$@" < /dev/null > /dev/null 2>&1"#
    let result = try Program.run(
      "/bin/bash",
      ["-c", script, "bash", "-L", socket, "-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "24"]
        + ["env \(line); echo ended with $?; sleep 1000"])
    try #require(result.exitCode == 0)
  }

  deinit { _ = try? tmux("kill-server") }

  @discardableResult
  private func tmux(_ arguments: String...) throws -> String {
    let result = try Program.run("/usr/bin/env", ["tmux", "-L", socket, "-f", "/dev/null"] + arguments)
    try #require(result.exitCode == 0, "\(arguments): \(result.errors)")
    return result.text
  }

  /// Types keys by tmux's names, and texts.
  func type(_ keys: String...) throws { for key in keys { try tmux("send-keys", key) } }

  /// Pastes a text, as a person does with the mouse.
  func paste(_ text: String) throws {
    try tmux("set-buffer", text)
    try tmux("paste-buffer", "-p")
  }

  var screen: String { get throws { try tmux("capture-pane", "-p", "-S", "-200") } }

  /// Waits until the screen shows a text as often as wanted.
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

@Suite("packrun chat at a terminal", .serialized, .enabled(if: Tmux.isInstalled, "tmux is not installed"), .timeLimit(.minutes(3)))
struct ChatTerminalTests {
  private let place: TemporaryFolder
  private let pack: String

  init() throws {
    (place, pack) = try Fixture.pack()
  }

  private func chat(_ options: String...) throws -> Tmux {
    try Tmux(
      [Program.packrun.path, "chat", pack, "--template", "gemma", "--temp", "0", "-t", "1"] + options,
      environment: ["XDG_STATE_HOME": place.file("state"), "LC_ALL": "C.UTF-8"])
  }

  @Test("A line is edited, a paste is one turn, both come back by the arrow key, also in the next session")
  func editing() throws {
    let first = try chat("-n", "4", "--ctx", "512")
    #expect(try first.expect(">"))
    try first.type("hello worlx", "BSpace", "d", "Left", "Left", "Left", "Left", "Left", "big ", "Enter")
    #expect(try first.expect("hello big world"))
    #expect(try first.expect("answer 4 tokens"))
    try first.paste("one\ntwo")
    #expect(try first.expect("> one\n  two"))
    try first.type("Enter")
    #expect(try first.expect("answer 4 tokens", count: 2))
    try first.type("/stats", "Enter")
    #expect(try first.expect("4 turns"))
    try first.type("/quit", "Enter")
    #expect(try first.expect("ended with 0"))
    let second = try chat("-n", "4", "--ctx", "512")
    #expect(try second.expect(">"))
    try second.type("Up", "Up", "Up")
    #expect(try second.expect("> one\n  two"))
    try second.type("Up", "Up")
    #expect(try second.expect("> hello big world"))
    let mode = try FileManager.default.attributesOfItem(atPath: place.file("state/packrun/chat-history"))[.posixPermissions] as? Int
    #expect(mode == 0o600)
  }

  @Test("Ctrl-C stops the answer, and the conversation goes on")
  func interrupt() throws {
    let chat = try chat("--ctx", "200000", "--kv", "q8_0")
    #expect(try chat.expect(">"))
    try chat.type("hello", "Enter")
    usleep(400_000)
    try chat.type("C-c")
    #expect(try chat.expect("; answer "))
    try chat.type("/stats", "Enter")
    #expect(try chat.expect("2 turns"))
    try chat.type("C-c")
    #expect(try chat.expect("Ctrl-C again"))
    try chat.type("C-c")
    #expect(try chat.expect("ended with 130"))
  }

  @Test("The conversation outlives the context, and can be saved, begun again and loaded")
  func window() throws {
    let chat = try chat("-n", "8", "--ctx", "120")
    #expect(try chat.expect(">"))
    for turn in 1...5 {
      try chat.type("this is turn number \(turn)", "Enter")
      #expect(try chat.expect("; answer ", count: turn))
    }
    #expect(try chat.expect("left out from here on"))
    let file = place.file("saved.json")
    try chat.type("/save \(file)", "Enter")
    #expect(try chat.expect("turns"))
    try chat.type("/reset", "Enter", "/stats", "Enter")
    #expect(try chat.expect("0 turns"))
    try chat.type("/regen", "Enter")
    #expect(try chat.expect("there is no answer yet"))
    try chat.type("/load \(file)", "Enter", "/regen", "Enter")
    #expect(try chat.expect("; answer ", count: 6))
    try chat.type("/nonesuch", "Enter")
    #expect(try chat.expect("is not a command"))
    let saved = try Program.packrun.run("template", "--template", "gemma", "--request", file)
    #expect(saved.text.contains("this is turn number 5"), "\(saved.errors)")
  }
}
