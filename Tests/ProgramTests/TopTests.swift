// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import Testing

@Suite("packrun top", .timeLimit(.minutes(2)))
struct TopTests {
  private let folder: TemporaryFolder
  private let pack: String
  private let shell: Shell
  /// The beginning of a bash line: a background run that does not end by itself, and its process id.
  private static let running = """
    cd $W; $P m.pack -p Once -n 200000 --ctx 200000 --temp 0 --ignore-eos -q > answer 2> notes & run=$!
    trap 'kill $run 2>/dev/null; wait' EXIT
    until [ -s answer ]; do kill -0 $run || exit 99; sleep 0.1; done
    """

  init() throws {
    (folder, pack) = try Fixture.pack("m.pack", "--align", "64K")
    shell = Shell(folder: folder)
  }

  @Test("A run is found by its pack, and its tokens, threads and pages are shown")
  func byPack() throws {
    let result = try shell.run("\(Self.running)\n$P top m.pack -n 1 --json -d 0.5")
    #expect(result.exitCode == 0 && result.errors.isEmpty, "\(result.errors)")
    let document = try #require(try JSONSerialization.jsonObject(with: result.output) as? [String: Any])
    #expect(document["program"] as? String == "packrun" && (document["pack"] as? String)?.hasSuffix("/m.pack") == true)
    let rate = try #require(document["tokensPerSecond"] as? Double)
    #expect(rate > 0)
    let nodes = try #require(document["nodes"] as? [[String: Any]])
    try #require(!nodes.isEmpty)
    for node in nodes {
      #expect(node["localPercent"] as? Double == 100)
      #expect(node["tokensPerSecond"] as? Double == rate)
      #expect((node["gigabytesPerSecond"] as? Double ?? 0) > 0 && (node["threads"] as? Int ?? 0) > 0)
      #expect((node["byteCount"] as? Int ?? 0) > 0)
    }
  }

  @Test("A run is found by its process id, and shown as often as requested")
  func byNumber() throws {
    let result = try shell.run("\(Self.running)\n$P top $run -n 2 -d 0.2; $P top -n 1 -d 0.1 $$")
    #expect(result.exitCode == 0 && result.errors.isEmpty, "\(result.errors)")
    let parts = result.text.components(separatedBy: "m.pack: packrun ")
    #expect(parts.count == 3 && parts[1].contains(" tokens/s") && parts[1].contains("100.00 %"), "\(result.text)")
    #expect(result.text.contains("bash ") && result.text.contains("what it computes is not known"))
  }

  @Test("At a narrow terminal, lines fit its width, and without UTF-8 they are ASCII", arguments: [40, 60, 100])
  func narrow(columns: Int) throws {
    let top = "stty cols \(columns); exec $P top $run -n 2 -d 0.2"
    let result = try shell.run("\(Self.running)\nexport run; LC_ALL=C TERM=xterm script -qec '\(top)' /dev/null < /dev/null")
    #expect(result.exitCode == 0, "\(result.text)")
    // The second drawing overwrites the first.
    #expect(result.text.contains("\u{1B}[J") && result.text.contains(#/\u{1B}\[\d+A/#))
    let lines = result.text.split(whereSeparator: \.isNewline).map { $0.replacing(#/\u{1B}\[\d*[A-Z]/#, with: "") }
    #expect(lines.contains { $0.contains("tok/s") })
    for line in lines { #expect(line.count <= columns && line.allSatisfy(\.isASCII), "\(line)") }
  }

  @Test("packrun top ends when the run ends")
  func end() throws {
    let result = try shell.run("\(Self.running)\n(sleep 1; kill $run) & $P top $run -d 0.2")
    #expect(result.exitCode == 0 && result.errors.contains("has ended"), "\(result.errors)")
  }

  @Test(
    "A process that cannot be watched is reported",
    arguments: [
      ("top 4194305", 2, "there is no process 4194305"), ("top m.pack", 1, "no packrun or packserve of this user runs this pack"),
      ("top none", 2, "none"), ("top m.pack -n 0", 64, "-n 0"), ("top m.pack -d 0", 64, "-d 0"), ("top", 64, "subject"),
    ])
  func refusals(line: String, exitCode: Int32, words: String) throws {
    let result = try shell.run("cd $W; $P \(line)")
    #expect(result.exitCode == exitCode && result.errors.isOneLine && result.errors.contains(words), "\(result.errors)")
  }

  @Test("A process of another user is reported as such", .enabled(if: Shell.mayMount, "this user cannot act as another"))
  func others() throws {
    let result = try shell.run("\(Self.running)\nchmod 755 $W; \(Shell.asOther) $P top $run -n 1")
    #expect(result.exitCode == 1 && result.errors.contains("belongs to another user"), "\(result.errors)")
  }
}

@Suite("packrun bench's picture")
struct BenchPictureProgramTests {
  @Test("--svg draws a bar for each test, or nothing is measured")
  func picture() throws {
    let (folder, pack) = try Fixture.pack()
    let svg = folder.file("b.svg")
    let result = try Program.packrun.run("bench", pack, "-p", "8", "-n", "4", "-r", "1", "--svg", svg)
    #expect(result.exitCode == 0 && result.errors.isEmpty, "\(result.errors)")
    let text = try String(contentsOfFile: svg, encoding: .utf8)
    #expect(text.hasPrefix("<svg ") && text.hasSuffix("</svg>\n") && text.contains(">pp8<") && text.contains(">tg4<"))
    #expect(text.contains("GB/s of memory") && text.contains("billion multiply-adds/s of "))
    let refused = try Program.packrun.run("bench", pack, "-p", "8", "-n", "0", "--svg", "/nowhere/b.svg")
    #expect(refused.exitCode != 0 && refused.errors.isOneLine && refused.output.isEmpty)
    #expect(try Program.packrun.run("bench", pack, "--svg", "-").exitCode == 64)
  }

  @Test("At a narrow terminal, a row becomes a paragraph")
  func narrow() throws {
    let (folder, _) = try Fixture.pack("m.pack")
    let bench = "stty cols 40; exec $P bench m.pack -p 8 -n 0 -r 1"
    let result = try Shell(folder: folder).run("cd $W; script -qec '\(bench)' /dev/null < /dev/null")
    #expect(result.exitCode == 0 && result.text.contains(#/\btest +pp8\b/#) && !result.text.contains("| model"), "\(result.text)")
  }
}
