// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import Testing

@Suite("Limits of the system: full disks, files that may not be written, small stacks, no /proc")
struct HardLimitTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    for (name, options) in [("m", ["--align", "64K"]), ("c", ["--compress"])] {
      let result = try Program.ggufpack.run(
        ["convert", Fixture.path("gemma3-tiny.gguf"), "-o", folder.file("\(name).pack"), "-q"] + options)
      try #require(result.exitCode == 0, "\(result.errors)")
    }
    try FileManager.default.copyItem(atPath: Fixture.path("gemma3-tiny.gguf"), toPath: folder.file("m.gguf"))
  }

  private func shell(_ script: String) throws -> Program.Result { try Shell(folder: folder).run(script) }

  /// Commands that write a result, each to x.
  private static let writers = [
    "$G convert $W/m.gguf -o $T/x -q", "$G repack $W/m.pack -o $T/x -q --nodes 2", "$G compress $W/m.pack -o $T/x -q",
    "$G decompress $W/c.pack -o $T/x -q", "$G restore $W/m.pack -o $T/x -q",
    "$P logits $W/m.pack --ids 1,2,3,4,5,6,7,8,9,10,11,12 -o $T/x",
  ]

  @Test("A limit on file sizes gives one line and exit code 1, and nothing is left behind", arguments: writers)
  func fileSize(command: String) throws {
    try FileManager.default.createDirectory(atPath: folder.file("t"), withIntermediateDirectories: false)
    let result = try shell("T=$W/t; ulimit -f 1; \(command)")
    #expect(result.exitCode == 1 && !result.wasKilled && result.errors.contains("File too large"), "\(result.errors)")
    #expect(result.errors.isOneLine)
    // The message has the given name, not the hidden one under which the result is written.
    #expect(result.errors.contains(folder.file("t/x")) && !result.errors.contains("/."), "\(result.errors)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.file("t")).isEmpty)
  }

  @Test("A full filesystem gives one line and exit code 1, and nothing stays", .enabled(if: Shell.mayMount), arguments: writers)
  func fullDisk(command: String) throws {
    let script = "T=/mnt && \(command); code=$?; ls -A /mnt; exit $code"
    let result = try Shell(folder: folder).run(with: "-t tmpfs -o size=4K none", script)
    #expect(result.exitCode == 1 && result.errors.isOneLine && result.output.isEmpty, "\(result.errors) \(result.text)")
    #expect(result.errors.contains("No space left") || result.errors.contains("has room for"), "\(result.errors)")
    #expect(result.errors.contains(" /mnt/x") && !result.errors.contains("/."), "\(result.errors)")
  }

  @Test(
    "A folder that this user may not write to gives one line with the given name, and exit code 1", .enabled(if: Shell.mayMount),
    arguments: writers)
  func permission(command: String) throws {
    let script = """
      chmod -R a+rX $W; mkdir /mnt/t /mnt/bin; chmod 755 /mnt /mnt/t; cp $G $P /mnt/bin; G=/mnt/bin/ggufpack; P=/mnt/bin/packrun; T=/mnt/t
      \(Shell.asOther) \(command)
      """
    let result = try Shell(folder: folder).run(with: "-t tmpfs none", script)
    #expect(result.exitCode == 1 && result.errors.isOneLine, "\(result.errors)")
    #expect(
      result.errors.contains("/mnt/t/x: cannot write there: Permission denied; user 64003 may not write in "), "\(result.errors)")
    #expect(result.errors.contains("the folder /mnt/t, which belongs to root; name another place"), "\(result.errors)")
  }

  @Test("If neither another name nor replacing would help, the message does not suggest it", .enabled(if: Shell.mayMount))
  func taken() throws {
    let script = """
      chmod -R a+rX $W; mkdir /mnt/t /mnt/t/x /mnt/bin; chmod 755 /mnt /mnt/t; cp $G /mnt/bin
      \(Shell.asOther) /mnt/bin/ggufpack convert $W/m.gguf -o /mnt/t/x
      """
    let result = try Shell(folder: folder).run(with: "-t tmpfs none", script)
    #expect(result.exitCode == 1 && result.errors.isOneLine, "\(result.errors)")
    let expected = """
      ggufpack: /mnt/t/x: cannot write there: Permission denied; user 64003 may not write in the folder /mnt/t, which belongs to root; \
      name another place, or run this as that user

      """
    #expect(result.errors == expected, "\(result.errors)")
  }

  @Test(
    "Input that may not be read gives one line and exit code 2", .enabled(if: Shell.mayMount),
    arguments: [
      "$G convert /mnt/t/m.gguf -o /mnt/x", "$G verify /mnt/t/m.pack", "$P /mnt/t/m.pack -p Hi", "$G inspect /mnt/t/m.gguf",
    ])
  func unreadable(command: String) throws {
    let script = """
      mkdir /mnt/t /mnt/bin; cp -r $W/m.gguf $W/m.pack /mnt/t; chmod 700 /mnt/t; chmod 777 /mnt; cp $G $P /mnt/bin; G=/mnt/bin/ggufpack
      P=/mnt/bin/packrun; \(Shell.asOther) \(command)
      """
    let result = try Shell(folder: folder).run(with: "-t tmpfs none", script)
    #expect(result.exitCode == 2 && result.errors.isOneLine, "\(result.errors)")
    #expect(result.errors.contains("/mnt/t/m.") && result.errors.contains("Permission denied"), "\(result.errors)")
    #expect(result.errors.contains("may not enter the folder /mnt/t, which belongs to root; "), "\(result.errors)")
    #expect(result.errors.hasSuffix("can allow it: chmod a+rx /mnt/t\n"), "\(result.errors)")
  }

  @Test(
    "The message says which folder or file is forbidden, and what permits it", .enabled(if: Shell.mayMount),
    arguments: [
      (
        "chmod 0 m.pack", "m.pack",
        "not enter the folder m.pack, which belongs to root; that user or root can allow it: chmod a+rx m.pack"
      ),
      ("chown 64003 m.pack; chmod 0 m.pack", "m.pack", "you may not enter the folder m.pack, which is yours: chmod u+rx m.pack"),
      ("chmod 400 m.pack/node0.blob", "m.pack", "not read the file m.pack/node0.blob, which belongs to root; "),
      ("mkdir 'a b'; mv m.pack 'a b'; chmod 700 'a b'", "'a b/m.pack/'", "not enter the folder a b, which belongs to root; "),
      ("mkdir 'a b'; mv m.pack 'a b'; chmod 700 'a b'", "'a b/m.pack'", "can allow it: chmod a+rx 'a b'"),
    ])
  func forbidden(change: String, pack: String, expected: String) throws {
    let script = """
      mkdir /mnt/t /mnt/bin; cp -r $W/m.pack /mnt/t; chmod 777 /mnt /mnt/t; cp $P /mnt/bin; cd /mnt/t; \(change)
      \(Shell.asOther) /mnt/bin/packrun \(pack) -p Hi -n 1
      """
    try Data(script.utf8).write(to: URL(filePath: folder.file("script")))
    let result = try Shell(folder: folder).run(with: "-t tmpfs none", ". $W/script")
    #expect(result.exitCode == 2 && result.errors.isOneLine && result.output.isEmpty, "\(result.errors)")
    #expect(result.errors.contains(": Permission denied; ") && result.errors.contains(expected), "\(result.errors)")
  }

  @Test(
    "A small stack is enough", arguments: [64, 512],
    [
      "$G convert $W/m.gguf -o $W/x.pack -q", "$G verify $W/c.pack -q", "$G restore $W/c.pack -o $W/x.gguf -q",
      "$P $W/m.pack -p Hi -n 2 --quiet", "$P tokenize $W/m.pack Hi", "$P doctor $W/m.pack", "$P placement $W/m.pack --no-bandwidth",
    ])
  func smallStack(kibibytes: Int, command: String) throws {
    let result = try shell("ulimit -S -s \(kibibytes); \(command)")
    #expect(result.exitCode == 0 && !result.wasKilled, "\(result.errors)")
  }

  @Test(
    "A chat template of the greatest permitted depth has enough stack", arguments: [64, 512, 8192],
    [
      "{% macro f(n) %}{% call f(n + 1) %}{{ caller() }}{% endcall %}{% endmacro %}{{ f(0) }}",
      "{% for x in [[1]] recursive %}{{ loop([[1]]) }}{% endfor %}",
      "{{ \(String(repeating: "(", count: 60))1\(String(repeating: ")", count: 60)) }}",
    ])
  func deepTemplate(kibibytes: Int, template: String) throws {
    try Data(template.utf8).write(to: URL(filePath: folder.file("template")))
    try Data(#"{"messages": [{"role": "user", "content": "Hi"}]}"#.utf8).write(to: URL(filePath: folder.file("request")))
    let command = "$P template $W/m.pack --template-file $W/template --request $W/request"
    let result = try shell("ulimit -S -s \(kibibytes); \(command)")
    #expect(!result.wasKilled && (result.exitCode == 0 ? result.errors.isEmpty : result.errors.isOneLine), "\(result.errors)")
    #expect(result.exitCode < 128)
  }

  // With less, the loader ends every program before its first instruction, even /bin/true.
  @Test(
    "A stack that is too small and cannot be enlarged gives one line and exit code 1", .enabled(if: Shell.mayMount),
    arguments: [24, 48], ["$G", "$P"])
  func tinyStack(kibibytes: Int, program: String) throws {
    let script = """
      mkdir /mnt/bin; chmod 755 /mnt; cp $G $P /mnt/bin; G=/mnt/bin/ggufpack; P=/mnt/bin/packrun; ulimit -s \(kibibytes)
      \(Shell.asOther) \(program) --version
      """
    let result = try Shell(folder: folder).run(with: "-t tmpfs none", script)
    #expect(result.exitCode == 1 && result.errors.isOneLine, "\(result.errors)")
    #expect(
      result.errors.contains("the limit on the stack (ulimit -s) is \(kibibytes) KiB, and at least 2048 are needed"),
      "\(result.errors)")
  }

  @Test(
    "Everything runs without /proc", .enabled(if: Shell.mayMount),
    arguments: [
      "$G convert $W/m.gguf -o $W/x.pack -q", "$G verify $W/m.pack -q", "$P $W/m.pack -p Hi -n 2 --quiet", "$P doctor $W/m.pack",
      "$P placement $W/m.pack --no-bandwidth",
    ])
  func noProc(command: String) throws {
    let result = try shell("unshare -m bash -c 'mount -t tmpfs none /proc; \(command)'")
    #expect(result.exitCode == 0 && !result.wasKilled, "\(result.errors)")
  }
}
