// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import GGUF
import GGUFWriting
import Testing

@Suite("Standard streams, signals and words that are not what a program expects")
struct StreamTests {
  private let folder: TemporaryFolder
  private let pack: String

  init() throws {
    (folder, pack) = try Fixture.pack("m.pack", "--align", "64K")
  }

  private func shell(_ script: String) throws -> Program.Result { try Shell(folder: folder).run(script) }

  @Test(
    "Closed descriptors are not given to files: written results stay intact", arguments: ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
  func closedDescriptors(closing: String) throws {
    let repacked = try shell("$G repack $W/m.pack -o $W/two.pack --nodes 2 --align 64K \(closing)")
    #expect(repacked.exitCode == 0)
    let verified = try Program.ggufpack.run("verify", folder.file("two.pack"), "--source", Fixture.path("gemma3-tiny.gguf"), "-q")
    #expect(verified.exitCode == 0, "\(verified.errors)")
    #expect(try shell("$P logits $W/m.pack --ids 1,2 -o $W/l \(closing)").exitCode == 0)
    #expect(try Data(contentsOf: URL(filePath: folder.file("l"))).count % 8 == 0)
  }

  @Test(
    "Output that cannot be printed gives one line and exit code 1, whatever the command",
    .enabled(if: FileManager.default.fileExists(atPath: "/dev/full")),
    arguments: [
      "$P $W/m.pack -p Hi -n 2", "$P $W/m.pack -p Hi -n 2 --json", "echo Hi | $P chat $W/m.pack -n 2", "$P tokenize $W/m.pack Hi",
      "$P bench $W/m.pack -p 4 -n 2 -r 1", "$P placement $W/m.pack --no-bandwidth", "$P doctor", "$G inspect $W/m.pack",
      "$G verify $W/m.pack", "$G verify $W/m.pack --json", "$G repack $W/m.pack -o $W/x.pack --plan", "$G --help", "$P --version",
    ])
  func fullOutput(command: String) throws {
    let result = try shell(command + " > /dev/full")
    #expect(result.exitCode == 1, "\(result.errors)")
    #expect(result.errors.contains("standard output: cannot write: No space left on device"), "\(result.errors)")
  }

  @Test("A reader that closes the pipe early causes no message")
  func closedPipe() throws {
    for ignored in ["", "trap '' PIPE; "] {
      let result = try shell("\(ignored)set -o pipefail; $G inspect $W/m.pack --tensors | true; echo ${PIPESTATUS[0]}")
      #expect(["0", "141"].contains(result.text.trimmingCharacters(in: .whitespacesAndNewlines)), "\(result.text)")
      #expect(result.errors.isEmpty, "\(result.errors)")
    }
  }

  @Test("A signal that the caller ignores stays ignored", arguments: ["HUP", "INT", "TERM"])
  func ignoredSignals(name: String) throws {
    let result = try shell("trap '' \(name); $G compress $W/m.pack -o $W/c.pack -q & kill -\(name) $!; wait $!")
    #expect(result.exitCode == 0, "\(result.errors)")
  }

  static let numbers: [([String], Int32)] = [
    (["-n", "-1", "--ctx", "12"], 0), (["-n", "2", "--seed", "-1"], 0), (["-n", "2", "--top-k", "-1"], 0),
    (["-n", "2", "--temp", "-1"], 0), (["-n", "2", "--repeat-penalty", "1.1", "--repeat-last-n", "-1"], 0), (["-n=2"], 0),
    (["-n", "-7"], 64), (["-n", "2", "--top-k", "-2"], 64), (["-n", "2", "--temp", "nan"], 64), (["--threads", "-1"], 64),
  ]

  @Test("Minus one means no limit, and other negative numbers are refused with a line of their own", arguments: numbers)
  func negativeNumbers(options: [String], exitCode: Int32) throws {
    let result = try Program.packrun.run([pack, "-p", "Once", "--quiet", "--ctx", "32"] + options)
    #expect(result.exitCode == exitCode, "\(result.errors)")
    if exitCode != 0 {
      #expect(result.errors.split(separator: "\n").count == 1 && !result.errors.contains("missing"), "\(result.errors)")
      #expect(result.errors.contains(options[options.count - 2]), "\(result.errors)")
    }
  }

  @Test("A text may begin with dashes", arguments: ["---\ntitle: x\n---\n", "--", "-", "-n", "--json", "-5"])
  func dashes(text: String) throws {
    let options = ["-n", "1", "--temp", "0", "--quiet", "--ctx", "64"]
    let result = try Program.packrun.run([pack, "-p", text, "--stop", text] + options)
    #expect(result.exitCode == 0, "\(result.errors)")
    // The same text from a file.
    try Data((text + "\n").utf8).write(to: URL(filePath: folder.file("text")))
    let fromFile = try Program.packrun.run([pack, "-f", folder.file("text")] + options)
    #expect(try Program.packrun.run([pack, "-p", text] + options).output == fromFile.output)
  }

  @Test("Packs can be named without the ending, and the model beside a pack is recognised")
  func names() throws {
    let short = try Program.packrun.run(folder.file("m"), "-p", "Once", "-n", "1", "--quiet", "--ctx", "32")
    #expect(short.exitCode == 0, "\(short.errors)")
    try FileManager.default.copyItem(atPath: Fixture.path("gemma3-tiny.gguf"), toPath: folder.file("m.gguf"))
    let model = try Program.packrun.run(folder.file("m.gguf"), "-p", "Once")
    #expect(model.exitCode == 2 && model.errors.contains("the pack beside it is \(pack)"), "\(model.errors)")
    for part in [1, 2] {
      for number in [1, 2] {
        let name = "llama-split-0000\(number)-of-00002.gguf"
        try? FileManager.default.copyItem(atPath: Fixture.path(name), toPath: folder.file(name))
      }
      let result = try Program.ggufpack.run("convert", folder.file("llama-split-0000\(part)-of-00002.gguf"), "-q", "--force")
      let packs = try folder.names.filter { $0.hasSuffix(".pack") }
      #expect(result.exitCode == 0 && packs == ["llama-split.pack", "m.pack"], "\(result.errors) \(packs)")
    }
    for command in [["restore", pack], ["repack", pack], ["convert", Fixture.path("llama-tiny.gguf")], ["compress", pack]] {
      #expect(try Program.ggufpack.run(command + ["-o", "-"]).exitCode == 64)
    }
  }

  @Test("Bytes that are not UTF-8 stay what they are in tokens, in a line as a prompt, and in file names")
  func bytes() throws {
    let piped = try shell("printf 'caf\\xe9' | $P tokenize $W/m.pack")
    #expect(try shell("$P tokenize $W/m.pack $'caf\\xe9'").text == piped.text)
    let prompt = try shell("$P $W/m.pack -p $'caf\\xe9' -n 1")
    #expect(prompt.exitCode == 2 && prompt.errors == "packrun: -p: not UTF-8 at byte 3; convert it, for example with iconv\n")
    let folders = try shell(
      "d=$W/$'\\xff\\n'; mkdir \"$d\" && cp -r $W/m.pack \"$d\" && $P \"$d/m\" -p Once -n 1 --quiet --ctx 32 && $G verify \"$d/m.pack\""
    )
    #expect(folders.exitCode == 0 && folders.text.contains(#"/\xff\u{a}/m.pack: good"#), "\(folders.errors)\(folders.text)")
    let missing = try shell("$G inspect $W/$'a\\e[31m\\nb'")
    #expect(missing.errors.split(separator: "\n").count == 1 && missing.errors.contains(#"a\u{1b}[31m\u{a}b"#), "\(missing.errors)")
  }

  @Test("A text without an end is refused at the limit that the help states", .timeLimit(.minutes(5)))
  func endless() throws {
    for command in ["$P tokenize $W/m.pack -f /dev/zero", "$P $W/m.pack -n 1 < /dev/zero"] {
      let result = try shell("ulimit -v 2000000; " + command)
      #expect(result.exitCode == 2 && result.errors.contains("the text is longer than 64.0 MiB"), "\(result.errors)")
    }
    #expect(try Program.packrun.run("run", "--help").text.contains("64.0 MiB"))
  }

  @Test("A conversation survives a full context and a turn that is too long")
  func longChat() throws {
    let turns = (0..<8).map { "This is turn number \($0).\n" }.joined() + String(repeating: "long ", count: 100) + "\nshort\n"
    let result = try Program.packrun.run(
      ["chat", pack, "-n", "4", "--temp", "0", "--ctx", "64", "--template", "gemma"], input: Data(turns.utf8))
    #expect(result.exitCode == 0)
    #expect(result.errors.contains("left out from here on") && result.errors.contains("do not fit"), "\(result.errors)")
    #expect(result.text.split(separator: "\n", omittingEmptySubsequences: false).count >= 9)
  }

  @Test("logits writes beside its destination, under an unused name")
  func partialFile() throws {
    try Data("precious".utf8).write(to: URL(filePath: folder.file("precious")))
    try FileManager.default.createSymbolicLink(atPath: folder.file("l.part"), withDestinationPath: "precious")
    #expect(try Program.packrun.run("logits", pack, "--ids", "1", "-o", folder.file("l")).exitCode == 0)
    #expect(try Data(contentsOf: URL(filePath: folder.file("precious"))) == Data("precious".utf8))
    #expect(try folder.names == ["l", "l.part", "m.pack", "precious"])
    #expect(try Program.packrun.run("logits", pack, "--ids", "1", "-o", folder.path).exitCode == 2)
    #expect(try Program.packrun.run("logits", pack, "--ids", "1", "-o", "-").exitCode == 64)
  }

  @Test("A pipe, a device and standard output are not replaced by a result", .enabled(if: Shell.mayMount))
  func devices() throws {
    // The device is a stand-in for /dev/null.
    let setup = "cd $W && mkfifo pipe && mknod null c 1 3 && ln -s /dev/stdout out && ln -s null link; cat pipe > got & "
    for target in ["pipe", "null", "out", "link", "/dev/stdout"] {
      for command in [
        "$P logits $W/m.pack --ids 1", "$G convert \(Fixture.path("gemma3-tiny.gguf"))", "$G restore $W/m.pack --force",
        "$G compress $W/m.pack --force",
      ] {
        let script =
          "\(setup) \(command) -o \(target); code=$?; kill -9 $!; stat -c %F pipe null out link; rm pipe null out link; exit $code"
        let result = try shell(script)
        #expect(result.exitCode == 2, "\(command) \(target): \(result.errors)")
        #expect(result.errors.contains("not a regular file"), "\(command) \(target): \(result.errors)")
        #expect(result.text == "fifo\ncharacter special file\nsymbolic link\nsymbolic link\n", "\(result.text)")
      }
    }
  }

  @Test("Names in a model reach the terminal escaped, each on its line")
  func controlCharacters() throws {
    let hostile = "x\n\u{1b}[31mred\u{7}"
    var writer = GGUFWriter()
    writer.metadata["general.architecture"] = .text(hostile)
    writer.metadata["general.name"] = .text(hostile)
    writer.metadata["tokenizer.ggml.model"] = .text(hostile)
    writer.tensors = [.init(name: hostile, type: .f32, dimensions: [8, 2])]
    try writer.write(to: folder.file("h.gguf")) { _ in [UInt8](repeating: 1, count: 64) }
    for command in [
      "$G convert $W/h.gguf --plan", "$G convert $W/h.gguf -q", "$G inspect $W/h.pack --tensors", "$G verify $W/h.pack",
      "$P $W/h.pack -p Hi", "$P bench $W/h.pack", "$P tokenize $W/h.pack Hi", "$P chat $W/h.pack", "$P doctor $W/h.pack",
    ] {
      let result = try shell("\(command) < /dev/null")
      let all = result.text + result.errors
      #expect(!all.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" }, "\(command): \(all.debugDescription)")
      #expect(!all.split(separator: "\n").contains { $0.hasPrefix("red") || $0.hasPrefix("[31m") }, "\(command): \(all)")
      if command.contains("inspect") || command.hasPrefix("$P $W") { #expect(all.contains(#"x\u{a}\u{1b}[31mred\u{7}"#), "\(all)") }
    }
  }

  @Test("A limit on address space that is too low gives one line, not a crash")
  func addresses() throws {
    let result = try shell("ulimit -v 110000; $G verify $W/m.pack")
    #expect(result.exitCode == 1 && result.errors.contains("too little memory: the limit on addresses"), "\(result.errors)")
  }
}
