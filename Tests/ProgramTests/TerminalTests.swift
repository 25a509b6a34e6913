// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import Testing

@Suite("packrun at a terminal", .timeLimit(.minutes(2)))
struct TerminalTests {
  private let place: TemporaryFolder
  private let pack: String

  init() throws {
    (place, pack) = try Fixture.pack()
  }

  @Test("A line longer than the terminal's own limit arrives completely, also when it is typed while another is answered")
  func longLine() throws {
    let line = String(repeating: "once upon a time ", count: 600)
    let ids = try Program.packrun.run("tokenize", pack, line)
    let count = ids.text.matches(of: /\d+/).count
    try #require(count > 1000)
    let conversation = try Conversation([pack, "-n", "1", "--ctx", "16384"])
    #expect(conversation.expect("> "))
    for _ in 0..<2 { conversation.type(line) }
    for _ in 0..<2 { #expect(conversation.expect("prompt \(count) tokens")) }
  }

  @Test(
    "The number of nodes that a pack was made for is said once at a terminal; and again with -v, for a rewritten pack, and in a log",
    .enabled(if: Tmux.isInstalled, "tmux is not installed"))
  func lastingNote() throws {
    let note = "made for 8 nodes"
    let repack = "'\(try Program.ggufpack.path)' repack m.pack -o m.pack --force --nodes 8 -q"
    let start = "'\(try Program.packrun.path)' m.pack -p Once -n 1"
    func count(_ line: String) throws -> Int {
      let script = "cd '\(place.path)'; export XDG_STATE_HOME=$PWD; \(line)"
      try Data(script.utf8).write(to: URL(filePath: place.file("script")))
      let terminal = try Tmux(["bash", place.file("script")])
      #expect(try terminal.expect("ended with 0"))
      return try terminal.screen.ranges(of: note).count
    }
    _ = try Program.ggufpack.run("repack", pack, "-o", place.file("m.pack"), "--nodes", "8", "-q")
    #expect(try count("\(start); \(start)") == 1)
    #expect(try count(start) == 0)
    #expect(try count("\(start) -v") == 1)
    #expect(try count("\(start) 2>&1 | cat") == 1)
    #expect(try count("\(repack) --align 64K; \(start)") == 1)
    #expect(try count(start) == 0)
  }

  @Test("Keys edit the line, and are shown once")
  func editing() throws {
    let conversation = try Conversation([pack, "-n", "1"])
    #expect(conversation.expect("> "))
    conversation.type("wrong\u{15}Once\u{1B}[D upom\u{7F}n")
    #expect(conversation.expect("prompt "))
    #expect(conversation.skipped.contains("Once upom\u{8} \u{8}n\r\n"), "\(conversation.skipped)")
  }

  @Test("The terminal's own state is restored, whatever ends the program", arguments: [SIGINT, SIGTERM, SIGHUP, 0])
  func state(signal: Int32) throws {
    let conversation = try Conversation([pack, "-n", "1"])
    #expect(conversation.expect("> "))
    #expect(!conversation.isAsItWas)
    if signal == 0 {
      conversation.type("\u{4}")
    } else {
      kill(conversation.process.processIdentifier, signal)
      // The first Ctrl-C only says how to leave.
      if signal == SIGINT {
        #expect(conversation.expect("Ctrl-D, quits"))
        kill(conversation.process.processIdentifier, signal)
      }
    }
    conversation.process.waitUntilExit()
    #expect(conversation.isAsItWas)
    switch signal {
    case 0: #expect(conversation.process.terminationStatus == 0)
    case SIGINT: #expect(conversation.process.terminationStatus == 130)
    default: #expect(conversation.process.terminationReason == .uncaughtSignal && conversation.process.terminationStatus == signal)
    }
  }
}
