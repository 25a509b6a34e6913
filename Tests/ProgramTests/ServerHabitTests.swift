// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import Testing

@Suite(
  "packserve's command lines as users of llama-server type them",
  .enabled(if: Server.isBuilt, "packserve is not built: set GGUFPACK_SERVER"), .timeLimit(.minutes(5)))
struct ServerHabitTests {
  @Test("Options that have another name here, or are not needed, start the server")
  func accepted() throws {
    let (folder, pack) = try Fixture.pack()
    let options = ["-c", "96", "-np", "3", "-a", "tiny", "-ctk", "q8_0", "-ctv", "q8_0", "--timeout", "30"]
    let notNeeded = [
      "-ngl 99", "-fa on", "--jinja", "--metrics", "--slots", "-cb", "--cache-reuse 256", "--numa distribute", "-ub 64",
    ]
    let server = try RunningServer(pack, options + notNeeded.flatMap { $0.split(separator: " ").map(String.init) })
    let log = server.output
    for option in notNeeded {
      let name = option.split(separator: " ")[0]
      #expect(log.contains("packserve: \(name) is not needed: "), "\(name): \(log)")
    }
    #expect(log.contains("-ngl is not needed: packserve computes on the CPU"))
    let properties = try curl(server.url + "/props").text
    #expect(properties.contains(#""total_slots":3"#) && properties.contains(#""n_ctx":96"#), "\(properties)")
    let models = try curl(server.url + "/v1/models").text
    #expect(models.contains(#""id":"tiny""#), "\(models)")
    withExtendedLifetime(folder) {}
  }

  @Test("A server takes the model's own context and a template from a file, and its model may have a name with slashes")
  func ownContext() throws {
    let (folder, pack) = try Fixture.pack()
    let template = folder.file("template.jinja")
    try "{{ strftime_now('%Y') }}: {{ messages[0].content }}".write(toFile: template, atomically: true, encoding: .utf8)
    let server = try RunningServer(pack, ["-c", "0", "--chat-template-file", template, "-a", "org/tiny"])
    #expect(try curl(server.url + "/props").text.contains(#""n_ctx":512"#))
    let prompt = try curl(server.url + "/apply-template", "-d", #"{"messages": [{"role": "user", "content": "hello"}]}"#).text
    #expect(prompt.contains(#"{"prompt":"20"#) && prompt.contains(": hello"), "\(prompt)")
    for name in ["org/tiny", "org%2Ftiny"] {
      #expect(try curl(server.url + "/v1/models/" + name).text.contains(#""id":"org/tiny""#))
    }
    let absent = try curl(server.url + "/v1/models/other").text
    #expect(absent.contains("model_not_found") && absent.contains("org/tiny"), "\(absent)")
    let port = server.url.split(separator: ":").last.map(String.init) ?? ""
    for (options, words) in [
      (["--port", port], "cannot listen: another program listens there; give --port another port"),
      (["--host", "no.such.host.invalid"], "cannot listen: no address is known for this name"),
      (["--template-file", folder.file("none.jinja")], "none.jinja"),
      (["--template", "none"], #"there is no chat template "none""#),
    ] {
      let result = try Program.packserve.run([pack] + options)
      #expect(result.exitCode != 0 && result.errors.contains(words), "\(result.errors)")
    }
  }

  /// What is typed in addition, and what the line says.
  static let refused = [
    ("--rerank", "--rerank: packserve does not rank documents"), ("-hf user/model", "-hf: packserve does not download"),
    ("--lora a.gguf", "--lora: adapters are not applied"), ("--temp 0.6", "--temp: each request says so itself, as temperature"),
    ("-n 100", "-n: each request says so itself, as max_tokens"), ("--no-webui", "--no-webui: the page at / cannot be left out"),
    ("--slot-save-path .", "--cache-dir"), ("-md small.gguf", "-md: packserve does not draft"),
    ("--api-prefix /llm", "--api-prefix: paths begin at /"), ("--prot 80", "; did you mean '--port'?"),
    ("-xyz", "unknown option '-xyz'; see packserve --help"),
  ]

  @Test("What is not done is refused by name before the pack is opened", arguments: refused)
  func refusal(options: String, words: String) throws {
    let result = try Program.packserve.run(["-m", "none"] + options.split(separator: " ").map(String.init))
    #expect(result.exitCode == 64 && result.errors.isOneLine, "\(result.errors)")
    #expect(result.errors.contains(words), "\(result.errors)")
  }
}
