// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import TestSupport
import Testing

/// The programs beside the tests, and a folder that is removed with this object.
private final class Workplace {
  let folder: URL

  init() throws {
    folder = FileManager.default.temporaryDirectory.appending(path: "packrun-tests-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  struct Result {
    var code: Int32
    var output: Data
    var errors: String
    var text: String { String(decoding: output, as: UTF8.self) }
    /// The lines of standard error.
    var lines: [Substring] { errors.split(separator: "\n") }
  }

  /// Runs a program with `input` on its standard input.
  func run(_ program: String, _ arguments: [String], input: String = "") throws -> Result {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().appending(path: program)
    process.arguments = arguments
    let files = ["in", "out", "err"].map { folder.appending(path: "\(UUID().uuidString).\($0)") }
    try Data(input.utf8).write(to: files[0])
    for file in files[1...] { try Data().write(to: file) }
    process.standardInput = try FileHandle(forReadingFrom: files[0])
    process.standardOutput = try FileHandle(forWritingTo: files[1])
    process.standardError = try FileHandle(forWritingTo: files[2])
    try process.run()
    process.waitUntilExit()
    #expect(process.terminationReason == .exit, "\(program) \(arguments) crashed")
    return Result(
      code: process.terminationStatus, output: try Data(contentsOf: files[1]),
      errors: String(decoding: try Data(contentsOf: files[2]), as: UTF8.self))
  }

  /// Returns the path of a GGUF in the repository.
  func fixture(_ name: String) -> URL {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    return root.appending(path: "fixtures/\(name).gguf")
  }

  /// Returns the path of a pack made from a fixture.
  func pack(_ name: String, nodes: Int = 1) throws -> String {
    let path = folder.appending(path: "\(name)-\(nodes).pack").path
    let source = fixture(name).path
    let result = try run("ggufpack", ["convert", source, "-o", path, "--nodes", "\(nodes)", "--quiet"])
    #expect(result.code == 0, "\(result.errors)")
    return path
  }

  func file(_ name: String, _ bytes: [UInt8]) throws -> String {
    let url = folder.appending(path: name)
    try Data(bytes).write(to: url)
    return url.path
  }
}

@Suite("packrun as a user runs it")
struct PackrunTests {
  @Test("A prompt from an argument, a file or a pipe is continued greedily, with the same text on one node and on three")
  func generates() throws {
    let place = try Workplace()
    let pack = try place.pack("gemma3-tiny")
    let options = ["-n", "12", "--temp", "0", "--ignore-eos", "--ctx", "64"]
    let first = try place.run("packrun", [pack, "-p", "Once upon"] + options)
    #expect(first.code == 0, "\(first.errors)")
    #expect(first.output.count > 1)
    let file = try place.file("prompt.txt", Array("Once upon".utf8))
    #expect(try place.run("packrun", [pack, "-f", file] + options).output == first.output)
    // Editors and `echo` add a line end to a prompt, which is not part of it.
    #expect(try place.run("packrun", [pack] + options, input: "Once upon\n").output == first.output)
    #expect(try place.run("packrun", [pack, "-p", "- a list"] + options).code == 0)
    let three = try place.pack("gemma3-tiny", nodes: 3)
    let divided = try place.run("packrun", [three, "-p", "Once upon", "--teams", "3", "--threads", "2"] + options)
    #expect(divided.output == first.output, "\(divided.errors)")
  }

  @Test("Proposed tokens change no answer, and models that cannot propose any are refused by name")
  func drafts() throws {
    let place = try Workplace()
    let pack = try place.pack("gemma3-tiny")
    let options = [
      "-p", "Once upon a time, once upon a time, once upon", "-n", "24", "--temp", "0", "--ignore-eos", "--ctx", "128",
    ]
    let plain = try place.run("packrun", [pack] + options)
    for draft in ["ngram", pack] {
      let drafted = try place.run("packrun", [pack, "--draft", draft] + options)
      #expect(drafted.code == 0 && drafted.output == plain.output)
      #expect(drafted.errors.contains("accepted per step"))
    }
    let other = try place.run("packrun", [pack, "--draft", place.pack("qwen3moe-tiny")] + options)
    #expect(other.code == 2 && other.lines.count == 1 && other.errors.contains("vocabulary"), "\(other.errors)")
  }

  @Test(
    "Tokens proposed by the model's own layer change no answer, and files without such a layer are refused by name",
    .enabled(if: oracles != nil, "no ../shared/oracles here; GGUFPACK_SHARED may name the folder that holds `oracles`"))
  func predicted() throws {
    let place = try Workplace()
    let folder = try #require(Self.oracles).appending(path: "tiny")
    let options = ["-p", "Once upon", "-n", "40", "--temp", "0", "--ignore-eos", "--ctx", "128"]
    for name in ["step35-5.F16", "qwen35-5.F16"] {
      let pack = place.folder.appending(path: "\(name).pack").path
      let source = folder.appending(path: "\(name).gguf").path
      #expect(try place.run("ggufpack", ["convert", source, "-o", pack, "--nodes", "2", "--quiet"]).code == 0)
      let plain = try place.run("packrun", [pack] + options)
      let drafted = try place.run("packrun", [pack, "--draft", "mtp"] + options)
      #expect(drafted.code == 0 && drafted.output == plain.output, "\(drafted.errors)")
      #expect(drafted.errors.contains("accepted per step"))
    }
    let other = try place.run("packrun", [place.pack("gemma3-tiny"), "--draft", "mtp"] + options)
    #expect(other.code == 2 && other.lines.count == 1 && other.errors.contains("no prediction layers (MTP)"), "\(other.errors)")
  }

  private static let oracles = SharedOracles.folder(holding: "README.md")

  @Test("Logits are written completely, and are the same for one node and two")
  func logits() throws {
    let place = try Workplace()
    let (one, two) = (try place.pack("llama-tiny"), try place.pack("llama-tiny", nodes: 2))
    let files = ["a.f32", "b.f32"].map { place.folder.appending(path: $0).path }
    for (pack, file, teams) in [(one, files[0], "1"), (two, files[1], "2")] {
      let result = try place.run("packrun", ["logits", pack, "--ids", "1,5, 9", "-o", file, "--teams", teams])
      #expect(result.code == 0, "\(result.errors)")
    }
    let bytes = try Data(contentsOf: URL(fileURLWithPath: files[0]))
    #expect(!bytes.isEmpty && bytes.count % 12 == 0)
    #expect(try Data(contentsOf: URL(fileURLWithPath: files[1])) == bytes)
  }

  @Test("Events are lines of JSON: start, tokens, end")
  func events() throws {
    let place = try Workplace()
    let result = try place.run(
      "packrun", [place.pack("gemma3-tiny"), "-p", "Once", "-n", "5", "--temp", "0", "--ignore-eos", "--json", "--ctx", "64"])
    let events = try result.text.split(separator: "\n").map {
      try #require(JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
    // Between the tokens and the end there may be text whose last character was never completed.
    let kinds = events.map { $0["event"] as? String }.filter { $0 != "text" }
    #expect(kinds == ["start"] + Array(repeating: "token", count: 5) + ["end"])
    #expect(events.first?["schemaVersion"] as? Int == 1)
    #expect(events.last?["reason"] as? String == "length")
  }

  @Test("Prompts that are continued several at a time get the answers that each gets alone")
  func parallel() throws {
    let place = try Workplace()
    let pack = try place.pack("gemma3-tiny")
    let prompts = ["Once upon", "a", "The quick brown", "zero", "Once"]
    let file = try place.file("prompts.txt", Array(prompts.joined(separator: "\n").utf8))
    let options = ["-n", "7", "--temp", "0", "--ignore-eos", "--ctx", "64", "--json"]
    let together = try place.run("packrun", [pack, "-f", file, "--parallel", "3"] + options)
    #expect(together.code == 0, "\(together.errors)")
    let events = try together.text.split(separator: "\n").map {
      try #require(JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
    #expect(events.first?["event"] as? String == "start" && events.first?["schemaVersion"] as? Int == 1)
    #expect(events.last?["event"] as? String == "end" && events.last?["prompts"] as? Int == prompts.count)
    var answers: [Int: String] = [:]
    for event in events.dropFirst().dropLast() {
      answers[try #require(event["prompt"] as? Int)] = event["text"] as? String
    }
    for (index, prompt) in prompts.enumerated() {
      let alone = try place.run("packrun", [pack, "-p", prompt, "--quiet"] + options.dropLast())
      #expect(answers[index].map { $0 + "\n" } == alone.text, "prompt \(index)")
    }
  }

  @Test("The benchmark prints its table, and JSON that agrees with it")
  func bench() throws {
    let place = try Workplace()
    let pack = try place.pack("llama-tiny")
    let table = try place.run("packrun", ["bench", pack, "-p", "16", "-n", "4", "-r", "2"])
    #expect(table.code == 0 && table.text.contains("pp16") && table.text.contains("tg4") && table.text.contains("±"))
    let json = try place.run("packrun", ["bench", pack, "-p", "16", "-n", "4", "-r", "2", "--json"])
    let document = try #require(JSONSerialization.jsonObject(with: json.output) as? [String: Any])
    #expect((document["tests"] as? [[String: Any]])?.count == 2)
    #expect(document["types"] as? String != nil && document["kv"] as? String == "f16" && document["memory"] as? String != nil)
    // The other formats have the same content, for several lengths.
    let several = ["bench", pack, "-p", "8,0,16", "-n", "2,4", "-r", "1", "--kv", "q8_0", "-o"]
    let names = ["pp8", "pp16", "tg2", "tg4"]
    let markdown = try place.run("packrun", several + ["md"])
    let rows = markdown.text.split(separator: "\n").filter { $0.hasPrefix("| ") }.dropFirst(2)
    #expect(rows.map { $0.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }[9] } == names, "\(markdown.text)")
    #expect(rows.allSatisfy { $0.contains("| q8_0 |") }, "\(markdown.text)")
    let lines = try place.run("packrun", several + ["jsonl"]).text.split(separator: "\n")
    let events = try lines.map { try #require(JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]) }
    #expect(events.map { $0["test"] as? String } == names && events.allSatisfy { $0["schemaVersion"] as? Int == 1 })
    let csv = try place.run("packrun", several + ["csv"]).text.split(separator: "\n")
    #expect(csv.count == 5 && csv[0].hasPrefix("model,architecture,types,") && csv[0].hasSuffix(",test,tokensPerSecond,deviation"))
    for (line, name) in zip(csv.dropFirst(), names) { #expect(line.contains(",q8_0,") && line.contains(",\(name),"), "\(line)") }
    for wrong in ["x", "8,", "-1", "8,,9"] {
      #expect(try place.run("packrun", ["bench", pack, "-p", wrong]).code == 64, "\(wrong)")
    }
    let deep = try place.run("packrun", ["bench", pack, "-p", "8", "-n", "4", "-r", "2", "-d", "24", "--parallel", "2"])
    #expect(deep.code == 0 && deep.text.contains("pp8 @ d24") && deep.text.contains("tg4 × 2 @ d24"), "\(deep.text)\(deep.errors)")
  }

  @Test("A conversation continues over several turns, in the format that the vocabulary indicates")
  func chat() throws {
    let place = try Workplace()
    let pack = try place.pack("gemma3-tiny")
    let options = ["--temp", "0", "-n", "6", "--ctx", "256"]
    let result = try place.run("packrun", ["chat", pack] + options, input: "Once\n\nupon \\\na time\n")
    #expect(result.code == 0 && result.errors.contains("using the gemma template"), "\(result.errors)")
    #expect(result.text.split(separator: "\n", omittingEmptySubsequences: false).count >= 3)
    let named = try place.run("packrun", ["chat", pack, "--template", "gemma"] + options, input: "Once\nupon \\\na time\n")
    #expect(named.output == result.output && !named.errors.contains("guessed"))
    let bad = try place.run("packrun", ["chat", pack, "--template", "gemma", "--ctx", "8"], input: "a long way to go for a word\n")
    #expect(bad.code == 0 && bad.lines.count == 1 && bad.errors.contains("context of 8"), "\(bad.errors)")
  }

  @Test("Perplexity is finite, and a pack does not diverge from itself")
  func perplexity() throws {
    let place = try Workplace()
    let pack = try place.pack("llama-tiny")
    let text = try place.file("text.txt", Array(String(repeating: "Once upon a time there was. ", count: 20).utf8))
    let result = try place.run("packrun", ["perplexity", pack, "-f", text, "--ctx", "32", "--kl", pack])
    #expect(result.code == 0, "\(result.errors)")
    #expect(result.text.contains("Final estimate: PPL = "))
    #expect(result.text.contains("Mean KL divergence = 0.0 +/- 0.0"), "\(result.text)")
    // The other pack keeps F16, so that the cost of 8 bits becomes visible.
    let wide = try place.pack("gemma3-tiny")
    let eight = try place.run("packrun", ["perplexity", wide, "-f", text, "--ctx", "32", "--kl", wide, "--kv", "q8_0"])
    #expect(eight.code == 0 && eight.text.contains("divergence = ") && !eight.text.contains("divergence = 0.0 "), "\(eight.text)")
  }

  @Test("Divergence from logits in a file is that of the whole text as one chunk")
  func divergenceFromFile() throws {
    let place = try Workplace()
    let pack = try place.pack("llama-tiny")
    let text = try place.file("text.txt", Array("Once upon a time there was a word, and another.".utf8))
    let ids = try place.run("packrun", ["tokenize", pack, "-f", text]).text.split(separator: "\n")[0]
    let logits = place.folder.appending(path: "logits.f32").path
    #expect(try place.run("packrun", ["logits", pack, "--ids", String(ids), "-o", logits]).code == 0)
    let result = try place.run("packrun", ["perplexity", pack, "-f", text, "--kl", logits])
    #expect(result.text.contains("Mean KL divergence = 0.0 +/- 0.0"), "\(result.text)\(result.errors)")
    #expect(try complaint(["perplexity", pack, "-f", text, "--kl", logits, "--ctx", "4"], in: place).contains("--ctx 4"))
  }

  /// Runs a mistaken command, and returns the line that it prints.
  private func complaint(_ arguments: [String], input: String = "", in place: Workplace) throws -> String {
    let result = try place.run("packrun", arguments, input: input)
    #expect(result.code != 0, "\(arguments)")
    #expect(result.lines.count == 1, "\(result.errors)")
    #expect(result.output.isEmpty || result.text == "\n")
    return result.errors
  }

  @Test("Wrong input gets one line that says what is wrong")
  func wrongInput() throws {
    let place = try Workplace()
    let pack = try place.pack("gemma3-tiny")
    let latin = try place.file("latin.txt", [0x61, 0x62, 0xE9, 0x63])
    #expect(try complaint([pack, "-f", latin], in: place).contains("not UTF-8 at byte 2"))
    #expect(try complaint([pack, "-p", ""], in: place).contains("empty"))
    #expect(try complaint([pack], in: place).contains("empty"))
    let long = String(repeating: "word ", count: 100)
    #expect(try complaint([pack, "-p", long, "--ctx", "16"], in: place).contains("context of 16"))
    let lines = try place.file("lines.txt", Array("Once\n\n\(long)\nmore\n".utf8))
    let tooLong = try complaint([pack, "-f", lines, "--parallel", "2", "--ctx", "16"], in: place)
    #expect(tooLong.contains("lines.txt: line 3: ") && tooLong.contains("context of 16"), "\(tooLong)")
    #expect(try complaint(["chat", pack, "--template", "nonesuch"], in: place).contains("nonesuch"))
    #expect(try complaint([pack, "-p", "x", "--kernels", "nonesuch"], in: place).contains("nonesuch"))
    #expect(try complaint(["logits", pack, "--ids", "1,x", "-o", "/dev/null"], in: place).contains("'x'"))
    #expect(try complaint(["logits", pack, "--ids", "99999999", "-o", "\(pack)/o"], in: place).contains("99999999"))
    #expect(try complaint(["/nonexistent.pack", "-p", "x"], in: place).contains("/nonexistent.pack"))
    #expect(try complaint([pack, "-f", "/nonexistent.txt"], in: place).contains("/nonexistent.txt"))
  }

  @Test("A model of an unsupported architecture converts; packrun names its architecture and the supported ones")
  func unknownArchitecture() throws {
    let place = try Workplace()
    var bytes = try Data(contentsOf: place.fixture("llama-tiny"))
    let key = try #require(bytes.range(of: Data("general.architecture".utf8)))
    let value = try #require(bytes.range(of: Data("llama".utf8), in: key.upperBound..<bytes.endIndex))
    bytes.replaceSubrange(value, with: Data("mamba".utf8))
    let model = try place.file("mamba.gguf", Array(bytes))
    let pack = place.folder.appending(path: "mamba.pack").path
    #expect(try place.run("ggufpack", ["convert", model, "-o", pack, "--quiet"]).code == 0)
    let output = place.folder.appending(path: "logits.f32").path
    let line = try complaint(["logits", pack, "--ids", "1", "-o", output], in: place)
    #expect(line.contains("'mamba'") && line.contains("gemma3"), "\(line)")
  }

  @Test("--verify finds a flipped bit before anything runs")
  func verify() throws {
    let place = try Workplace()
    let pack = try place.pack("llama-tiny")
    #expect(try place.run("packrun", [pack, "-p", "x", "-n", "1", "--verify", "--ctx", "32"]).code == 0)
    let blob = URL(fileURLWithPath: pack).appending(path: "node0.blob")
    var bytes = try Data(contentsOf: blob)
    bytes[bytes.count / 2] ^= 0x10
    try bytes.write(to: blob)
    #expect(try complaint([pack, "-p", "x", "--verify"], in: place).contains("node0.blob"))
  }

  @Test("A full context ends the answer with a note")
  func contextEnd() throws {
    let place = try Workplace()
    let result = try place.run(
      "packrun", [place.pack("gemma3-tiny"), "-p", "Once", "--temp", "0", "--ctx", "20", "--ignore-eos", "--quiet"])
    #expect(result.code == 0)
    #expect(result.errors.contains("context of 20 tokens is full"), "\(result.errors)")
  }
}
