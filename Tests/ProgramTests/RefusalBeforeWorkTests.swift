// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import Testing

@Suite("What cannot be written is refused before the pack is read, and what is there already is not written again")
struct RefusalBeforeWorkTests {
  private let shell: Shell

  /// The packs are damaged, so that reading one is noticed.
  init() throws {
    let folder = try TemporaryFolder()
    shell = Shell(folder: folder)
    for (name, options) in [("m", ["--align", "64K"]), ("c", ["--compress"])] {
      let pack = folder.file("\(name).pack")
      let made = try Program.ggufpack.run(["convert", Fixture.path("gemma3-tiny.gguf"), "-o", pack, "-q"] + options)
      try #require(made.exitCode == 0, "\(made.errors)")
      try FileManager.default.copyItem(atPath: pack, toPath: folder.file("there-\(name).pack"))
      let blob = try #require(FileHandle(forWritingAtPath: pack + "/node0.blob"))
      try blob.seek(toOffset: 1000)
      try blob.write(contentsOf: Data("damage".utf8))
      try blob.close()
    }
    try Data("x".utf8).write(to: URL(filePath: folder.file("there.gguf")))
    try FileManager.default.createDirectory(atPath: folder.file("photos"), withIntermediateDirectories: false)
    try Data("x".utf8).write(to: URL(filePath: folder.file("photos/dog.jpeg")))
  }

  /// The commands, each of which reads a pack and writes to the path after it; `there` is a result of its kind.
  private static let commands = [
    (command: "$G restore $W/m.pack -o", there: "there.gguf"),
    (command: "$G repack $W/m.pack --nodes 2 -o", there: "there-m.pack"),
    (command: "$G compress $W/m.pack -o", there: "there-c.pack"), (command: "$G decompress $W/c.pack -o", there: "there-m.pack"),
  ]

  /// Runs a command that must be refused with `problem`, and must not have noticed the damage.
  private func expectRefusal(_ problem: String, exitCode: Int32 = 2, _ run: (Shell) throws -> Program.Result) throws {
    let before = try shell.folder.names
    let result = try run(shell)
    #expect(result.exitCode == exitCode && result.errors.isOneLine, "\(result.errors)")
    #expect(result.errors.contains(problem), "\(result.errors)")
    #expect(try shell.folder.names == before)
  }

  @Test("The damage is noticed as soon as a pack is read", arguments: commands)
  func damage(command: String, there: String) throws {
    let result = try shell.run("\(command) $W/x")
    #expect(result.exitCode == 1 && result.errors.contains("checksum mismatch"), "\(result.errors)")
  }

  @Test("A name that is taken is refused before the pack is read", arguments: commands)
  func taken(command: String, there: String) throws {
    try expectRefusal("\(there): it exists already") { try $0.run("\(command) $W/\(there)") }
  }

  @Test("A missing folder is refused before the pack is read", arguments: commands)
  func missing(command: String, there: String) throws {
    try expectRefusal("none: there is no such folder") { try $0.run("\(command) $W/none/x") }
  }

  @Test("A folder with other content is refused before the pack is read, even with --force", arguments: commands)
  func others(command: String, there: String) throws {
    try expectRefusal("not replaced") {
      let result = try $0.run("\(command) $W/photos --force")
      return .init(
        exitCode: result.exitCode, output: result.output, errors: result.errors.lowercased(), wasKilled: result.wasKilled)
    }
  }

  @Test("Too little space is refused before the pack is read", .enabled(if: Shell.mayMount), arguments: commands)
  func room(command: String, there: String) throws {
    try expectRefusal("but its filesystem has room for 65536", exitCode: 1) {
      try $0.run(with: "-t tmpfs -o size=64K none", "\(command) /mnt/x")
    }
  }

  @Test("A folder without write permission is refused before the pack is read", .enabled(if: Shell.mayMount), arguments: commands)
  func permission(command: String, there: String) throws {
    let script = """
      chmod -R a+rX $W; mkdir /mnt/t /mnt/bin; chmod 755 /mnt /mnt/t; cp $G /mnt/bin; G=/mnt/bin/ggufpack
      \(Shell.asOther) \(command) /mnt/t/x
      """
    try expectRefusal("/mnt/t/x: cannot write there: Permission denied", exitCode: 1) { try $0.run(with: "-t tmpfs none", script) }
  }

  @Test("A filesystem that does not report its free space is not treated as full", .enabled(if: Shell.mayMount))
  func unknownSize() throws {
    let script = """
      $G convert $W/m.gguf -o /mnt/m.pack -q || exit 1
      $G verify /mnt/m.pack -q && $G restore /mnt/m.pack -o /mnt/m.gguf -q && cmp /mnt/m.gguf $W/m.gguf &&
      $G compress /mnt/m.pack -q && $P /mnt/m.pack -p Once -n 2 --quiet --ctx 32 && $P logits /mnt/m.pack --ids 1 -o /mnt/l
      """
    try FileManager.default.copyItem(atPath: Fixture.path("gemma3-tiny.gguf"), toPath: shell.folder.file("m.gguf"))
    let result = try shell.run(with: "-t ramfs none", script)
    #expect(result.exitCode == 0, "\(result.errors)\(result.text)")
  }

  @Test("compress and decompress do nothing to a pack that is already in that form, and say so")
  func twice() throws {
    for (command, pack, said) in [
      ("compress", "there-c.pack", "compressed already; nothing to do"),
      ("decompress", "there-m.pack", "not compressed; nothing to do"),
    ] {
      let blob = shell.folder.file(pack + "/node0.blob")
      let before = try FileManager.default.attributesOfItem(atPath: blob)[.systemFileNumber] as? Int
      let result = try Program.ggufpack.run(command, shell.folder.file(pack))
      #expect(result.exitCode == 0 && result.text == "\(shell.folder.file(pack)): \(said)\n", "\(result.text)\(result.errors)")
      #expect(try FileManager.default.attributesOfItem(atPath: blob)[.systemFileNumber] as? Int == before)
      let quiet = try Program.ggufpack.run(command, shell.folder.file(pack), "-q")
      #expect(quiet.exitCode == 0 && quiet.output.isEmpty)
    }
  }
}
