// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import Testing

@Suite("packrun chat at a terminal", .serialized, .enabled(if: Tmux.isInstalled, "tmux is not installed"), .timeLimit(.minutes(3)))
struct ChatTerminalTests {
  private let place: TemporaryFolder
  private let pack: String

  init() throws {
    (place, pack) = try Fixture.pack()
  }

  private func chat(_ options: String..., environment: [String: String] = [:]) throws -> Tmux {
    try Tmux(
      [Program.packrun.path, "chat", pack, "--temp", "0", "-t", "1"] + options,
      // The environment of the test run may have NO_COLOR set.
      environment: ["XDG_STATE_HOME": place.file("state"), "LC_ALL": "C.UTF-8", "NO_COLOR": ""].merging(environment) { $1 })
  }

  private func file(_ name: String, _ text: String) throws -> String {
    try Data(text.utf8).write(to: URL(filePath: place.file(name)))
    return place.file(name)
  }

  @Test("A line can be edited, a paste is one turn, and the arrow key brings both back, also in the next session")
  func editing() throws {
    let first = try chat("--template", "gemma", "-n", "4", "--ctx", "512")
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
    let second = try chat("--template", "gemma", "-n", "4", "--ctx", "512")
    #expect(try second.expect(">"))
    try second.type("Up", "Up", "Up")
    #expect(try second.expect("> one\n  two"))
    try second.type("Up", "Up")
    #expect(try second.expect("> hello big world"))
    let mode = try FileManager.default.attributesOfItem(atPath: place.file("state/packrun/chat-history"))[.posixPermissions] as? Int
    #expect(mode == 0o600)
  }

  @Test("Ctrl-C stops the answer, and the conversation continues")
  func interrupt() throws {
    let chat = try chat("--template", "gemma", "--ctx", "200000", "--kv", "q8_0")
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

  @Test("A conversation outlives its context, and can be saved, reset and loaded")
  func window() throws {
    let chat = try chat("--template", "gemma", "-n", "8", "--ctx", "120")
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

  /// A grammar decides what the model thinks and answers.
  @Test(
    "The model's thinking is dimmed, shown or hidden, and NO_COLOR turns dimming off",
    arguments: [
      ("dim", [:], "\u{1B}[2mhm, so"), ("dim", ["NO_COLOR": "1"], "hm, so"), ("dim", ["TERM": "dumb"], "hm, so"),
      ("show", [:], "hm, so"),
      ("hide", [:], ""),
    ])
  func thinking(reasoning: String, environment: [String: String], expected: String) throws {
    let grammar = try file("thinking.gbnf", #"root ::= "<think>hm, so</think>yes, it is""#)
    let chat = try chat("--template", "gemma", "--grammar", grammar, "--reasoning", reasoning, environment: environment)
    #expect(try chat.expect(">"))
    try chat.type("is it?", "Enter")
    #expect(try chat.expect("yes, it is"))
    let (screen, plain) = try (chat.styledScreen, chat.screen)
    #expect((expected.isEmpty || screen.contains(expected)) && plain.contains("hm, so") == !expected.isEmpty, "\(screen)")
    #expect(screen.contains("\u{1B}[2m") == expected.contains("\u{1B}"), "\(screen)")
    // The answer is not dimmed, and is on a line of its own.
    #expect(plain.contains("\nyes, it is") && !screen.contains("[2myes"), "\(screen)")
  }

  @Test("Ctrl-R finds an earlier turn, and a terminal that becomes narrower shows the line once")
  func search() throws {
    let chat = try chat("--template", "gemma", "-n", "2", "--ctx", "512")
    #expect(try chat.expect(">"))
    for (number, turn) in ["tell me a story", "and a poem"].enumerated() {
      try chat.type(turn, "Enter")
      #expect(try chat.expect("answer 2 tokens", count: number + 1))
    }
    try chat.type("C-r", "story")
    #expect(try chat.expect("search: story > tell me a story"))
    try chat.type("C-e", " about " + String(repeating: "owls and ", count: 12))
    #expect(try chat.expect("> tell me a story about owls"))
    try chat.resize(columns: 50)
    try chat.type("cats")
    #expect(try chat.expect("cats"))
    let screen = try chat.screen
    let line = screen.replacing("\n", with: "").split(separator: "> ").last.map(String.init) ?? ""
    #expect(line.hasPrefix("tell me a story about owls and ") && line.hasSuffix("owls and cats"), "\(screen)")
    #expect(line.ranges(of: "owls").count == 12 && line.ranges(of: "tell").count == 1, "\(screen)")
  }

  @Test("Commands are listed, the system prompt is shown and set, and an unusable file leaves the conversation unchanged")
  func commands() throws {
    let chat = try chat("--template", "gemma", "-n", "2", "--ctx", "512", "--system", "Be kind.")
    #expect(try chat.expect(">"))
    try chat.type("/help", "Enter")
    for name in ["/reset", "/system [TEXT]", "/regen", "/save FILE", "/load FILE", "/stats", "/quit"] {
      #expect(try chat.expect(name))
    }
    try chat.type("/system", "Enter")
    #expect(try chat.expect("Be kind."))
    try chat.type("/system Be short.", "Enter", "/system", "Enter")
    #expect(try chat.expect("\nBe short."))
    try chat.type("hello", "Enter")
    #expect(try chat.expect("answer 2 tokens"))
    let (saved, broken) = (place.file("saved.json"), try file("broken.json", #"{"messages": 5}"#))
    try chat.type("/save \(saved)", "Enter")
    #expect(try chat.expect("saved.json: 3 turns"))
    try chat.type("/save \(saved)", "Enter")
    #expect(try chat.expect("it exists already"))
    try chat.type("/load \(broken)", "Enter")
    #expect(try chat.expect("not an array"))
    try chat.type("/load /nonesuch.json", "Enter")
    #expect(try chat.expect("/nonesuch.json: cannot open it"))
    try chat.type("/save", "Enter")
    #expect(try chat.expect("/save: name a file"))
    try chat.type("/stats", "Enter")
    #expect(try chat.expect("3 turns; "))
    #expect(try String(contentsOfFile: saved, encoding: .utf8).contains("Be short."))
  }

  @Test("A template that fails during a conversation gives one line, and the conversation continues without that turn")
  func failingTemplate() throws {
    let template = try file(
      "failing.jinja", "{% for m in messages if m.role == 'user' %}{{ m.content }}{{ 1 // (m.content | length - 4) }}{% endfor %}")
    let chat = try chat("--template-file", template, "-n", "2", "--ctx", "512")
    #expect(try chat.expect(">"))
    try chat.type("good bye", "Enter")
    #expect(try chat.expect("answer 2 tokens"))
    try chat.type("four", "Enter")
    #expect(try chat.expect("the chat template fails: template line 1"))
    try chat.type("/stats", "Enter")
    #expect(try chat.expect("2 turns; "))
    try chat.type("again", "Enter")
    #expect(try chat.expect("answer 2 tokens", count: 2))
    // With a pipe no person reads the line, so the exit code reports it.
    let piped = try Program.packrun.run(["chat", pack, "--template-file", template, "-n", "2"], input: Data("four\n".utf8))
    #expect(piped.exitCode == 1 && piped.errors.contains("the chat template fails"), "\(piped.errors)")
  }

  @Test("A loaded conversation keeps the template variables from the command line")
  func loadedVariables() throws {
    let template = try file(
      "effort.jinja", "{% if effort != 'low' %}{{ raise_exception('effort is ' ~ effort) }}{% endif %}{{ messages[0].content }}")
    let request = try file(
      "request.json", #"{"messages": [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "x"}]}"#)
    let chat = try chat("--template-file", template, "--template-args", "{\"effort\": \"low\"}", "-n", "2", "--ctx", "512")
    #expect(try chat.expect(">"))
    try chat.type("/load \(request)", "Enter", "/regen", "Enter")
    #expect(try chat.expect("answer 2 tokens"))
  }

  @Test("A line shows the progress while a long prompt is read")
  func promptProgress() throws {
    let chat = try chat("--template", "gemma", "-n", "2", "--ctx", "32768", "--batch", "1", "--kv", "q8_0")
    #expect(try chat.expect(">"))
    try chat.paste(String(repeating: "once upon a time ", count: 1200))
    try chat.type("Enter")
    #expect(try chat.expect("reading the prompt ["))
    #expect(try chat.expect(" %, "))
    #expect(try chat.expect("answer 2 tokens"))
    #expect(try !chat.screen.contains("reading the prompt"))
  }
}
