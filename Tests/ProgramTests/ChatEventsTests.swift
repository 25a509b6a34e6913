// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import Testing

@Suite("packrun chat --json")
struct ChatEventsTests {
  private let folder: TemporaryFolder
  private let pack: String

  init() throws { (folder, pack) = try Fixture.pack("m.pack", "--align", "64K") }

  /// Runs a conversation, and returns the events of all its turns with the output on standard error.
  private func chat(_ lines: String, _ options: String...) throws -> (events: [[String: Any]], result: Program.Result) {
    let arguments = ["chat", pack, "--template", "chatml", "--temp", "0", "-n", "3", "--json"] + options
    let result = try Program.packrun.run(arguments, input: Data(lines.utf8))
    let events = try result.text.split(separator: "\n").map { line in
      try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any], "\(line)")
    }
    return (events, result)
  }

  @Test("Each turn has a start, its tokens, its meaning, and an end; the words are those of a chat without --json")
  func events() throws {
    let (events, result) = try chat("Hello\nAnd then?\n")
    #expect(result.exitCode == 0, "\(result.errors)")
    let names = events.compactMap { $0["event"] as? String }
    let turn = ["start", "token", "token", "token", "turn", "end"]
    #expect(names.filter { $0 != "text" } == turn + turn, "\(names)")
    #expect(events.filter { $0["event"] as? String == "start" }.allSatisfy { $0["schemaVersion"] as? Int == 1 })
    let prompts = events.compactMap { $0["promptTokens"] as? Int }
    #expect(prompts.count == 2 && prompts[0] > 0 && prompts[1] > prompts[0], "\(prompts)")
    #expect(events.compactMap { $0["reason"] as? String } == ["length", "length"])
    let plain = try Program.packrun.run(
      ["chat", pack, "--template", "chatml", "--temp", "0", "-n", "3"], input: Data("Hello\nAnd then?\n".utf8))
    let contents = events.compactMap { $0["content"] as? String }
    #expect(contents.count == 2 && contents.map { $0 + ($0.hasSuffix("\n") ? "" : "\n") }.joined() == plain.text, "\(contents)")
  }

  @Test("The output of commands does not mix with the events, and a turn that gets no answer is an event")
  func refusals() throws {
    let long = String(repeating: "again and again ", count: 200)
    let (events, result) = try chat("/system Be brief.\n/system\n/help\n/nonesuch\n\(long)\nHi\n/stats\n", "--ctx", "256")
    #expect(result.exitCode == 0, "\(result.errors)")
    let names = events.compactMap { $0["event"] as? String }.filter { $0 != "text" && $0 != "token" }
    #expect(names == ["error", "error", "start", "turn", "end"], "\(names)")
    let messages = events.compactMap { $0["message"] as? String }
    #expect(messages[0].contains("/nonesuch is not a command") && messages[1].contains("--ctx"), "\(messages)")
    for line in messages + ["Be brief.", "/regen", "3 turns"] { #expect(result.errors.contains(line), "\(line): \(result.errors)") }
  }

  @Test("packrun chat --json is refused by name at a terminal", .enabled(if: Tmux.isInstalled, "tmux is not installed"))
  func terminal() throws {
    let screen = try Tmux([Program.packrun.path, "chat", pack, "--json"])
    #expect(try screen.expect("--json: turns come through a pipe"))
    #expect(try screen.expect("ended with 64"))
  }
}
