// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import Files
import GGUF
import JSON
import PackFormat
import Repack

/// `ggufpack verify`: checks packs against their digests.
struct VerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Check every byte of a pack against its digests.",
    discussion: """
      Exit code 0: good; 1: damaged, with a line for each damaged chunk; 2: unreadable. If several packs are named, all of them are \
      checked; the exit code is 1 if any is damaged, and 2 if any is unreadable and none is damaged.
      """)

  @Argument(help: "The pack; several may be named.", completion: .directory)
  var packs: [String]

  @Option(help: "Also prove that each pack was made from this model.", completion: .file(extensions: ["gguf"]))
  var source: String?

  @Flag(help: "Print the result as a JSON document.")
  var json = false

  @Flag(name: .shortAndLong, help: "Print nothing but errors.")
  var quiet = false

  func run() throws {
    if json { return try runWithJSON() }
    guard packs.count > 1 else { return try verify(packs[0]) }
    var worst = ExitCode.success
    for pack in packs {
      do {
        try verify(pack)
      } catch PackError.interrupted {
        throw PackError.interrupted
      } catch let error as any FailureConvertible {
        Terminal.note(error.failure.problem)
        if worst != .failed { worst = error.failure.exitCode }
      }
    }
    if worst != .success { throw worst }
  }

  private func verify(_ name: String) throws {
    let opened = try Pack.open(named: name)
    try verifyFirst(opened, isQuiet: quiet)
    if let source { try compareSource(PackRestorer(opened), with: source, isQuiet: quiet) }
    if quiet { return }
    let size = ByteCount(PackVerifier(opened).byteCount)
    Output.print(line: "\(name.oneLine): good, \(size) in \(Count(opened.manifest.blobs.count, "blob"))")
  }

  /// The JSON report about one pack.
  private struct Report {
    var pack: String
    /// `good`, `damaged` or `unreadable`.
    var result = "good"
    /// The number of bytes checked.
    var byteCount = 0
    var problems: [JSONObject] = []
    /// Whether the pack was made from the given model; left out if none was given.
    var sourceMatches: Bool?

    var document: JSONObject {
      var document = JSONObject()
      document.set("pack", pack)
      document.set("result", result)
      document.set("byteCount", byteCount)
      document.set("problems", problems)
      document.set("sourceMatches", sourceMatches)
      return document
    }

    mutating func add(_ error: any FailureConvertible) {
      var problem = JSONObject()
      problem.set("description", error.failure.problem)
      if case .damaged(let file, let chunk, let range)? = error as? PackError {
        problem.set("file", file)
        problem.set("chunk", chunk)
        problem.set("offset", range.lowerBound)
        problem.set("byteCount", range.count)
      }
      problems.append(problem)
    }
  }

  private func runWithJSON() throws {
    let reports = try packs.map(report)
    let results = reports.map(\.result)
    let result = ["damaged", "unreadable"].first { results.contains($0) } ?? "good"
    if packs.count == 1 {
      Output.print(document: reports[0].document)
    } else {
      var document = JSONObject()
      document.set("packs", reports.map(\.document))
      document.set("result", result)
      Output.print(document: document)
    }
    if result != "good" { throw result == "damaged" ? ExitCode.failed : ExitCode.unusable }
  }

  private func report(of name: String) throws -> Report {
    var report = Report(pack: name)
    do {
      let opened = try Pack.open(named: name)
      for damage in try verify(opened, &report.byteCount) { report.add(damage) }
      if let source, report.problems.isEmpty { try compare(opened, with: source, &report) }
      if !report.problems.isEmpty { report.result = "damaged" }
    } catch PackError.interrupted {
      throw PackError.interrupted
    } catch let error as any FailureConvertible {
      report.result = error.failure.exitCode == .failed ? "damaged" : "unreadable"
      report.add(error)
    }
    return report
  }

  private func verify(_ pack: Pack, _ byteCount: inout Int) throws(PackError) -> [PackError] {
    try PackVerifier(pack).run { (bytes) throws(PackError) in
      byteCount += bytes
      if Interrupt.isRequested { throw .interrupted }
    }
  }

  private func compare(_ pack: Pack, with source: String, _ report: inout Report) throws {
    let model = try GGUFModel.open(source)
    do {
      try PackRestorer(pack).compare(with: model) { (_) throws(PackError) in if Interrupt.isRequested { throw .interrupted } }
      report.sourceMatches = true
    } catch {
      guard case .invalid = error else { throw error }
      report.sourceMatches = false
      report.add(error)
    }
  }
}
