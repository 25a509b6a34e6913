// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import GGUF
import GGUFWriting
import Testing

/// A page of the documentation, and the fenced blocks in it.
struct DocumentationPage: CustomTestStringConvertible, Sendable {
  /// The lines between two fences.
  struct Block: Sendable {
    /// The number of the line with the fence.
    var line: Int
    /// The kind of the lines: `sh` for commands, `text` for the output of a program, and so on.
    var language: String
    /// The reason why the commands are not run, given on the line above the fence; nil if they are run.
    var notRun: String?
    var text: String
  }

  let path: String
  let blocks: [Block]

  var testDescription: String { path }

  static let repository = URL(filePath: Fixture.folder).deletingLastPathComponent().path

  /// All pages of the repository.
  static let all: [DocumentationPage] = {
    let docs = (try? FileManager.default.subpathsOfDirectory(atPath: repository + "/docs")) ?? []
    let names =
      ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "deploy/README.md"]
      + docs.filter { $0.hasSuffix(".md") }.map { "docs/\($0)" }
    return names.sorted().compactMap { try? DocumentationPage($0) }
  }()

  init(_ path: String) throws {
    self.path = path
    let text = try String(contentsOfFile: Self.repository + "/" + path, encoding: .utf8)
    var blocks: [Block] = []
    var open: Block?
    var before = ""
    for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init).enumerated() {
      defer { before = line }
      guard line.hasPrefix("```") else {
        open?.text += line + "\n"
        continue
      }
      if let block = open {
        blocks.append(block)
        open = nil
      } else {
        open = Block(line: number + 1, language: String(line.dropFirst(3)), notRun: Self.reason(before), text: "")
      }
    }
    if let open { blocks.append(open) }
    self.blocks = blocks
  }

  /// Returns the reason in `<!-- not run: REASON -->`.
  private static func reason(_ line: String) -> String? {
    guard line.hasPrefix("<!-- not run: "), line.hasSuffix(" -->") else { return nil }
    return String(line.dropFirst("<!-- not run: ".count).dropLast(" -->".count))
  }

  /// The commands that are run, as one script; nil if there are none.
  var script: String? {
    let run = blocks.filter { $0.language == "sh" && $0.notRun == nil }
    guard !run.isEmpty else { return nil }
    return run.map { "echo \"line \($0.line)\" > \"$STEP\"\n\($0.text)" }.joined()
  }
}

@Suite("The documentation's commands do what they say")
struct DocumentationTests {
  @Test("Every block states its language, and blocks of commands that are not run state why", arguments: DocumentationPage.all)
  func blocks(_ page: DocumentationPage) {
    for block in page.blocks {
      #expect(!block.language.isEmpty, "\(page.path):\(block.line): the fence must say sh for commands, or text, json, …")
      #expect(block.notRun != "", "\(page.path):\(block.line): the reason is missing")
      #expect(block.notRun == nil || block.language == "sh", "\(page.path):\(block.line): only commands can be left out")
    }
  }

  @Test("The documentation has pages, and commands in them")
  func pages() {
    #expect(DocumentationPage.all.count > 10)
    #expect(DocumentationPage.all.filter { $0.script != nil }.count > 5)
  }

  @Test("Links lead to pages and headings that exist", arguments: DocumentationPage.all)
  func links(_ page: DocumentationPage) throws {
    let text = try String(contentsOfFile: DocumentationPage.repository + "/" + page.path, encoding: .utf8)
    let folder = URL(filePath: DocumentationPage.repository + "/" + page.path).deletingLastPathComponent()
    for match in text.matches(of: #/\]\(([^)\s]+)\)/#) {
      let link = String(match.1)
      guard !link.contains("://"), !link.hasPrefix("mailto:") else { continue }
      let parts = link.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      let target = parts[0].isEmpty ? DocumentationPage.repository + "/" + page.path : folder.appending(path: parts[0]).path
      #expect(FileManager.default.fileExists(atPath: target), "\(page.path): \(link) does not exist")
      guard parts.count == 2, target.hasSuffix(".md"), let other = try? String(contentsOfFile: target, encoding: .utf8) else {
        continue
      }
      let headings = other.split(separator: "\n").filter { $0.hasPrefix("#") }.map { Self.anchor(String($0)) }
      #expect(headings.contains(parts[1]), "\(page.path): \(link): there is no such heading")
    }
  }

  /// Returns the name of a heading in links: in lower case, without punctuation, with hyphens for spaces.
  private static func anchor(_ heading: String) -> String {
    let text = heading.drop { $0 == "#" }.drop { $0 == " " }.lowercased()
    return String(
      text.compactMap { character in
        if character == " " { return "-" }
        return character.isLetter || character.isNumber || character == "-" || character == "_" ? character : nil
      })
  }

  @Test(
    "The commands of a page run one after another",
    .enabled(if: Server.isBuilt, "packserve, which pages use, is not built: set GGUFPACK_SERVER"),
    arguments: DocumentationPage.all.filter { $0.script != nil })
  func commands(_ page: DocumentationPage) throws {
    let script = try #require(page.script)
    let folder = try Self.desk()
    let programs = URL(filePath: try Program.packrun.path).deletingLastPathComponent().path
    // Programs that still run at the end of a page, such as a server, are ended.
    let lines = """
      set -euo pipefail
      trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
      export STEP='\(folder.file(".step"))' PATH='\(programs)':$PATH HOME='\(folder.path)' LC_ALL=C.UTF-8
      cd '\(folder.path)'
      \(script)
      """
    let result = try Program.run("/bin/bash", ["-c", lines])
    let step = (try? String(contentsOfFile: folder.file(".step"), encoding: .utf8)) ?? ""
    #expect(result.exitCode == 0, "\(page.path), the block at \(step)\(result.errors.suffix(2000))")
  }

  /// Makes a folder with everything that the pages name.
  private static func desk() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    for name in ["scripts", "fixtures", "Tests", "Benchmarks"] {
      try FileManager.default.createSymbolicLink(
        atPath: folder.file(name), withDestinationPath: DocumentationPage.repository + "/" + name)
    }
    let model = Fixture.path("gemma3-tiny.gguf")
    for name in ["MODEL.gguf", "gemma3-270m-Q4_K_M.gguf"] {
      try FileManager.default.copyItem(atPath: model, toPath: folder.file(name))
    }
    try split(model, into: 9, prefix: folder.file("BigModel"))
    for (pack, options) in [("MODEL.pack", []), ("gemma3-270m-Q4_K_M.pack", ["--nodes", "2"])] {
      let result = try Program.ggufpack.run(["convert", model, "-o", folder.file(pack), "--quiet"] + options)
      try #require(result.exitCode == 0, "\(result.errors)")
    }
    let files = [
      "LIST.txt": "1. one\n2. two\n3. one\n4. two\n", "TEXT.txt": String(repeating: "Once upon a time. ", count: 40),
      "SCHEMA.json": #"{"type": "boolean"}"#, "GRAMMAR.gbnf": #"root ::= "a" "b"?"#,
      "REQUEST.json": #"{"messages": [{"role": "user", "content": "Hello"}], "chat_template_kwargs": {}}"#,
      "TURN.txt": "Hello there.",
    ]
    for (name, text) in files { try Data(text.utf8).write(to: URL(filePath: folder.file(name))) }
    return folder
  }

  private static func split(_ path: String, into count: Int, prefix: String) throws {
    let model = try GGUFModel.open(path)
    let bytes = try Data(contentsOf: URL(filePath: path))
    var writer = GGUFWriter()
    writer.metadata = model.metadata
    writer.tensors = model.tensors.map { .init(name: $0.info.name, type: $0.info.type, dimensions: $0.info.dimensions) }
    let all = model.tensors.count
    try writer.writeSplit(prefix: prefix, tensorCounts: (0..<count).map { all * ($0 + 1) / count - all * $0 / count }) { index in
      let info = model.tensors[index].info
      let start = model.parts[0].header.dataOffset + info.offset
      return Array(bytes[start..<start + info.byteCount])
    }
  }
}
