// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import FoundationEssentials
import GGUF
import PackFormat
import Repack

/// `ggufpack verify`: a pack against its digests.
struct VerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Check every byte of a pack against its digests.",
    discussion: "Exit code 0: good; 1: damaged, with a line for each damaged chunk; 2: unreadable.")

  @Argument(help: "The pack.", completion: .directory)
  var pack: String

  @Option(help: "Also prove that the pack was made from this model.", completion: .file(extensions: ["gguf"]))
  var source: String?

  @Flag(help: "Print the result as a JSON document.")
  var json = false

  @Flag(name: .shortAndLong, help: "Print nothing but errors.")
  var quiet = false

  func run() throws {
    if json { return try runWithJSON() }
    try reportingErrors {
      let opened = try openPack(pack)
      try verifyFirst(opened, isQuiet: quiet)
      if let source { try compareSource(PackRestorer(opened), with: source, isQuiet: quiet) }
      if !quiet {
        print("\(pack): good, \(ByteCount(PackVerifier(opened).byteCount)) in \(opened.manifest.blobs.count) blobs")
      }
    }
  }

  /// The JSON document.
  private struct Report: Encodable {
    var schemaVersion = 1
    var pack: String
    /// `good`, `damaged` or `unreadable`.
    var result: String
    /// Bytes that were checked.
    var byteCount: Int
    var problems: [Problem]
    /// Whether the pack was made from the model that was named; left out if none was.
    var sourceMatches: Bool?
  }

  private struct Problem: Encodable {
    var file: String?
    var chunk: Int?
    var offset: Int?
    var byteCount: Int?
    var description: String

    init(description: String) { self.description = description }

    init(_ error: PackError) {
      description = error.description
      if case .damaged(let file, let chunk, let range) = error {
        (self.file, self.chunk, offset, byteCount) = (file, chunk, range.lowerBound, range.count)
      }
    }
  }

  private func runWithJSON() throws {
    var report = Report(pack: pack, result: "good", byteCount: 0, problems: [])
    do {
      let opened = try Pack.open(pack)
      report.problems = try PackVerifier(opened).run { (bytes) throws(PackError) in
        report.byteCount += bytes
        try Interruption.shared.check()
      }.map(Problem.init)
      if let source, report.problems.isEmpty { try compare(opened, with: source, &report) }
      if !report.problems.isEmpty { report.result = "damaged" }
    } catch PackError.interrupted {
      Terminal.complain(PackError.interrupted.description)
      throw ExitCode.interrupted
    } catch let error as PackError {
      if case .damaged = error { report.result = "damaged" } else { report.result = "unreadable" }
      report.problems.append(Problem(error))
    } catch let error as GGUFError {
      report.result = "unreadable"
      report.problems.append(Problem(description: error.description))
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    print(String(decoding: try encoder.encode(report), as: UTF8.self))
    if report.result != "good" { throw report.result == "damaged" ? ExitCode.damaged : ExitCode.unreadable }
  }

  private func compare(_ pack: Pack, with source: String, _ report: inout Report) throws {
    let model = try GGUFModel.open(source)
    do {
      try PackRestorer(pack).compare(with: model) { (_) throws(PackError) in try Interruption.shared.check() }
      report.sourceMatches = true
    } catch {
      guard case .invalid = error else { throw error }
      report.sourceMatches = false
      report.problems.append(Problem(error))
    }
  }
}
