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

  /// Runs a line of bash with the programs as $G and $P, and the folder as $W; what begins with $N may not write outside of it.
  private func shell(_ script: String) throws -> Program.Result {
    let prefix = "export G='\(try Program.ggufpack.path)' P='\(try Program.packrun.path)' W='\(folder.path)'; ulimit -c 0; "
    return try Program.run("/bin/bash", ["-c", prefix + script])
  }

  /// What writes a result, each to x.
  private static let writers = [
    "$G convert $W/m.gguf -o $T/x -q", "$G repack $W/m.pack -o $T/x -q --nodes 2", "$G compress $W/m.pack -o $T/x -q",
    "$G decompress $W/c.pack -o $T/x -q", "$G restore $W/m.pack -o $T/x -q",
    "$P logits $W/m.pack --ids 1,2,3,4,5,6,7,8,9,10,11,12 -o $T/x",
  ]

  /// Whether this process may mount filesystems for itself, and act as another user.
  private static let isRoot: Bool = {
    let tried = try? Program.run("/usr/bin/unshare", ["-m", "mount", "-t", "tmpfs", "none", "/mnt"])
    return tried?.exitCode == 0 && FileManager.default.isExecutableFile(atPath: "/usr/bin/setpriv")
  }()

  private func isOneLine(_ text: String) -> Bool { text.hasSuffix("\n") && text.dropLast().allSatisfy { !$0.isNewline } }

  @Test("A limit on the size of files is a line and exit code 1, and leaves nothing", arguments: writers)
  func fileSize(command: String) throws {
    try FileManager.default.createDirectory(atPath: folder.file("t"), withIntermediateDirectories: false)
    let result = try shell("T=$W/t; ulimit -f 1; \(command)")
    #expect(result.exitCode == 1 && !result.wasKilled && result.errors.contains("File too large"), "\(result.errors)")
    #expect(isOneLine(result.errors))
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.file("t")).isEmpty)
  }

  @Test("A full filesystem is a line and exit code 1, and leaves nothing", .enabled(if: isRoot), arguments: writers)
  func fullDisk(command: String) throws {
    let script = "mount -t tmpfs -o size=4K none /mnt && T=/mnt && \(command); code=$?; ls -A /mnt; exit $code"
    let result = try shell("unshare -m bash -c '\(script)'")
    #expect(result.exitCode == 1 && isOneLine(result.errors) && result.output.isEmpty, "\(result.errors) \(result.text)")
    #expect(result.errors.contains("No space left") || result.errors.contains("has room for"), "\(result.errors)")
  }

  @Test(
    "A folder that this user may not write is a line with the name that was given, and exit code 1", .enabled(if: isRoot),
    arguments: writers)
  func permission(command: String) throws {
    let script = """
      chmod -R a+rX $W; mkdir /mnt/t /mnt/bin; chmod 755 /mnt /mnt/t; cp $G $P /mnt/bin; G=/mnt/bin/ggufpack; P=/mnt/bin/packrun; T=/mnt/t
      setpriv --reuid 64003 --regid 64003 --clear-groups \(command)
      """
    let result = try shell("unshare -m bash -c 'mount -t tmpfs none /mnt; \(script)'")
    #expect(result.exitCode == 1 && isOneLine(result.errors), "\(result.errors)")
    #expect(result.errors.contains("/mnt/t/x: cannot write there: Permission denied"), "\(result.errors)")
  }

  @Test("Where neither another name nor replacing helps, the line does not say so", .enabled(if: isRoot))
  func taken() throws {
    let script = """
      chmod -R a+rX $W; mkdir /mnt/t /mnt/t/x /mnt/bin; chmod 755 /mnt /mnt/t; cp $G /mnt/bin
      setpriv --reuid 64003 --regid 64003 --clear-groups /mnt/bin/ggufpack convert $W/m.gguf -o /mnt/t/x
      """
    let result = try shell("unshare -m bash -c 'mount -t tmpfs none /mnt; \(script)'")
    #expect(result.exitCode == 1 && isOneLine(result.errors), "\(result.errors)")
    #expect(result.errors == "ggufpack: /mnt/t/x: cannot write there: Permission denied\n", "\(result.errors)")
  }

  @Test(
    "Input that may not be read is a line and exit code 2", .enabled(if: isRoot),
    arguments: [
      "$G convert /mnt/t/m.gguf -o /mnt/x", "$G verify /mnt/t/m.pack", "$P /mnt/t/m.pack -p Hi", "$G inspect /mnt/t/m.gguf",
    ])
  func unreadable(command: String) throws {
    let script = """
      mkdir /mnt/t /mnt/bin; cp -r $W/m.gguf $W/m.pack /mnt/t; chmod 700 /mnt/t; chmod 777 /mnt; cp $G $P /mnt/bin; G=/mnt/bin/ggufpack
      P=/mnt/bin/packrun; setpriv --reuid 64003 --regid 64003 --clear-groups \(command)
      """
    let result = try shell("unshare -m bash -c 'mount -t tmpfs none /mnt; \(script)'")
    #expect(result.exitCode == 2 && isOneLine(result.errors), "\(result.errors)")
    #expect(result.errors.contains("/mnt/t/m.") && result.errors.contains("Permission denied"), "\(result.errors)")
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
    "A chat template that goes as deep as it may has the stack for it", arguments: [64, 512, 8192],
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
    #expect(!result.wasKilled && (result.exitCode == 0 ? result.errors.isEmpty : isOneLine(result.errors)), "\(result.errors)")
    #expect(result.exitCode < 128)
  }

  @Test(
    "A stack that is too small, and may not be larger, is a line and exit code 1", .enabled(if: isRoot), arguments: ["$G", "$P"])
  func tinyStack(program: String) throws {
    let script = """
      mkdir /mnt/bin; chmod 755 /mnt; cp $G $P /mnt/bin; G=/mnt/bin/ggufpack; P=/mnt/bin/packrun; ulimit -s 48
      setpriv --reuid 64003 --regid 64003 --clear-groups \(program) --version
      """
    let result = try shell("unshare -m bash -c 'mount -t tmpfs none /mnt; \(script)'")
    #expect(result.exitCode == 1 && isOneLine(result.errors), "\(result.errors)")
    #expect(
      result.errors.contains("the limit on the stack (ulimit -s) is 48 KiB, and at least 2048 are needed"), "\(result.errors)")
  }

  @Test(
    "Without /proc everything runs", .enabled(if: isRoot),
    arguments: [
      "$G convert $W/m.gguf -o $W/x.pack -q", "$G verify $W/m.pack -q", "$P $W/m.pack -p Hi -n 2 --quiet", "$P doctor $W/m.pack",
      "$P placement $W/m.pack --no-bandwidth",
    ])
  func noProc(command: String) throws {
    let result = try shell("unshare -m bash -c 'mount -t tmpfs none /proc; \(command)'")
    #expect(result.exitCode == 0 && !result.wasKilled, "\(result.errors)")
  }
}
