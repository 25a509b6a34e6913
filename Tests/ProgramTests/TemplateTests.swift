// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import Testing

@Suite("packrun template and tokenize --ids")
struct TemplateTests {
  private let place: TemporaryFolder

  init() throws { place = try TemporaryFolder() }

  private func file(_ name: String, _ text: String) throws -> String {
    try Data(text.utf8).write(to: URL(filePath: place.file(name)))
    return place.file(name)
  }

  private func pack(_ name: String = "gemma3-tiny") throws -> String {
    let path = place.file(name + ".pack")
    let result = try Program.ggufpack.run("convert", Fixture.path(name + ".gguf"), "-o", path, "--quiet")
    try #require(result.exitCode == 0, "\(result.errors)")
    return path
  }

  @Test("A request is turned into its prompt, and nothing else is printed")
  func prompt() throws {
    let request = try file(
      "request.json",
      """
      {"messages": [{"role": "user", "content": "Hi"}], "tools": [{"x": 1}], "add_generation_prompt": false,
       "chat_template_kwargs": {"a": [1, 2]}}
      """)
    let template = try file(
      "t.jinja", "{{ bos_token }}|{{ messages[0].content }}|{{ tools }}|{{ add_generation_prompt }}|{{ a }}|{{ eos_token }}|{{ b }}"
    )
    let result = try Program.packrun.run(
      "template", "--template-file", template, "--request", request, "--bos", "<s>", "--eos", "</s>", "--template-args",
      #"{"b": true}"#)
    #expect(result.text == "<s>|Hi|[{'x': 1}]|False|[1, 2]|</s>|True", "\(result.errors)")
    let today = try file("date.jinja", "{{ strftime_now('%d %b %Y %H:%M') }}")
    let dated = try Program.packrun.run("template", "--template-file", today, "--request", request, "--date", "2026-03-01T12:30:00")
    #expect(dated.text == "01 Mar 2026 12:30")
    // With a pack, its special tokens count, and so does its own template or the one that its vocabulary indicates.
    let named = try Program.packrun.run(
      "template", pack(), "--template", "gemma", "--request",
      try file(
        "plain.json", #"{"messages": [{"role": "user", "content": "Hi"}]}"#))
    #expect(named.text == "<start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n", "\(named.errors)")
  }

  @Test("A template that refuses or fails gives one line and exit code 1; unusable input gives exit code 2")
  func refusals() throws {
    let request = try file("request.json", #"{"messages": []}"#)
    func run(_ source: String, _ request: String) throws -> (code: Int32, line: String) {
      let result = try Program.packrun.run("template", "--template-file", try file("t.jinja", source), "--request", request)
      #expect(result.output.isEmpty && result.errors.split(separator: "\n").count == 1, "\(result.errors)")
      return (result.exitCode, result.errors)
    }
    let refused = try run("{{ raise_exception('no\nmessages') }}", request)
    #expect(refused.code == 1 && refused.line.contains("refuses the conversation: no\\u{a}messages"), "\(refused.line)")
    let wrong = try run("a\n{% if %}", request)
    #expect(wrong.code == 1 && wrong.line.contains("line 2"), "\(wrong.line)")
    let member = try run("x", try file("member.json", #"{"messages": [], "stream": true}"#))
    #expect(member.code == 2 && member.line.contains("\"stream\" is not supported"), "\(member.line)")
    let json = try run("x", try file("bad.json", "{\"messages\": [}"))
    #expect(json.code == 2 && json.line.contains("bad.json: not JSON: line 1, column 15"), "\(json.line)")
  }

  @Test(
    "A hostile template gives one line and exit code 1 within a second",
    arguments: [
      "{{ " + String(repeating: "(", count: 1_000_000), String(repeating: "{% if 1 %}", count: 100_000),
      "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
      "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
      "{% set ns = namespace(s='x') %}{% for i in range(100) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
      "{{ 'x' * 10 ** 12 }}", "{% set s = 'x' * 1000000 %}{% for i in range(1000) %}{{ s }}{% endfor %}",
      String(repeating: "{{ x }}\n", count: 50 << 17),
    ])
  func hostile(source: String) throws {
    let (template, request) = (try file("t.jinja", source), try file("request.json", #"{"messages": []}"#))
    let start = ContinuousClock.now
    let result = try Program.packrun.run("template", "--template-file", template, "--request", request)
    let time = ContinuousClock.now - start
    #expect(result.exitCode == 1 && result.output.isEmpty)
    #expect(result.errors.split(separator: "\n").count == 1, "\(result.errors.prefix(200))")
    #if !DEBUG
      // Machines that run tests are busy with other work; alone it takes far less than a second.
      #expect(time < .seconds(3), "\(time)")
    #endif
  }

  @Test("A turn is split into its parts")
  func parse() throws {
    let text = try file("turn.txt", "<think>so</think>Hi <tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 1}}</tool_call>")
    let result = try Program.packrun.run("template", "--parse", "hermes", "--text", text)
    let document = try #require(JSONSerialization.jsonObject(with: result.output) as? [String: Any])
    #expect(document["reasoning_content"] as? String == "so" && document["content"] as? String == "Hi")
    let call = try #require((document["tool_calls"] as? [[String: Any]])?.first)
    #expect(call["name"] as? String == "f" && call["arguments"] as? [String: Int] == ["a": 1])
    // A turn that closes what it did not open consisted of thinking from its beginning.
    let thinking = try Program.packrun.run(["template", "--parse", "hermes", "--text", "-"], input: Data("so</think>Hi".utf8))
    #expect(thinking.text.contains("\"reasoning_content\": \"so\""), "\(thinking.text)")
    let unknown = try Program.packrun.run("template", "--parse", "nonesuch", "--text", text)
    #expect(unknown.exitCode == 64 && unknown.errors.contains("hermes"))
  }

  @Test("Token ids are turned back into their text", arguments: ["gemma3-tiny", "llama-tiny"])
  func ids(model: String) throws {
    let pack = try pack(model)
    for text in ["Once upon a time", " é\n\n日本 ", "- x"] {
      let ids = try Program.packrun.run("tokenize", pack, "--file", file("text.txt", text))
      let back = try Program.packrun.run("tokenize", pack, "--ids", ids.text)
      #expect(back.text == text, "\(back.errors)")
      #expect(try Program.packrun.run(["tokenize", pack, "--ids", "-"], input: ids.output).text == text)
    }
    let outside = try Program.packrun.run("tokenize", pack, "--ids", "1,999999")
    #expect(outside.exitCode == 2 && outside.errors.contains("999999"))
  }
}
