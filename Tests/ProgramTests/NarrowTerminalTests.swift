// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import Testing

@Suite("On a terminal of 40 columns, words stay whole", .enabled(if: Tmux.isInstalled, "tmux is not installed"))
struct NarrowTerminalTests {
  private let folder: TemporaryFolder
  private let pack: String

  init() throws {
    (folder, pack) = try Fixture.pack("m.pack", "--align", "64K", "--nodes", "2")
    try FileManager.default.copyItem(atPath: Fixture.path("gemma3-tiny.gguf"), toPath: folder.file("m.gguf"))
    try Data(repeating: 0, count: 12).write(to: URL(filePath: folder.file("zeros")))
  }

  /// The commands to run in the folder of the pack, and the last text on the screen.
  static let commands = [
    ("packrun doctor m.pack", "room for"), ("packrun pin --list", "pinned"), ("packrun placement m.pack --no-bandwidth", "GB/s"),
    ("packrun bench m.pack -p 2 -n 1 -r 1", "tg1: "), ("packrun m.pack -p Once -n 2 --temp 0", "threads"),
    ("packrun m.gguf", "pack beside it is m.pack"),
    ("packrun m.pack -p Once --lora x", "adapters"), ("packrun m.pack -p Once -ngl 99 -n 1", "not needed"),
    ("packrun m.pack -p Once --ctx 99999999", "--parallel"), ("ggufpack inspect m.pack", "Q8_0"),
    ("ggufpack convert m.gguf -o x.pack", "28 tensors"), ("ggufpack convert m.gguf -o y.pack --plan", "padding"),
    ("ggufpack convert zeros", "letters"), ("ggufpack verify m.pack", "good"), ("ggufpack convert --help", "--resume"),
    ("packrun doctor --help", "--check"),
  ]

  @Test("Output and messages break between words", arguments: commands)
  func words(command: String, expected: String) throws {
    let programs = URL(filePath: try Program.packrun.path).deletingLastPathComponent().path
    let line = "cd \(folder.path) && PATH=\(programs):$PATH \(command)"
    let terminal = try Tmux(["bash", "-c", line], columns: 40)
    #expect(try terminal.expect("ended with"))
    let rows = try terminal.screen.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    #expect(rows.joined(separator: " ").contains(expected), "\(rows)")
    // Without a terminal, a line may have any width.
    let piped = try Program.run("/bin/bash", ["-c", "\(line) 2>&1"])
    let firstWords = Set(piped.text.split(separator: "\n").compactMap { $0.split(separator: " ").first })
    // Names of the build folder and paths of the kernel may be longer than a row, and commands are printed unchanged.
    for (row, next) in zip(rows, rows.dropFirst()) where !row.contains("/") && !next.contains("/") {
      let first = next.split(separator: " ").first ?? ""
      let isBroken = row.count >= 40 && next.first.map { $0 != " " } == true && !firstWords.contains(first)
      #expect(!isBroken, "\(command): \(row)\n\(next)")
    }
  }
}
