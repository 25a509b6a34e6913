// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import Doctor
import Files
import Glibc
import ModelConsole
import PackFormat
import PackRuntime

/// `packrun placement`: maps a pack and prints where the kernel says its pages are.
struct PlacementCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "placement",
    abstract: "Map a pack and show which node each page is on, as counted by the kernel, and how fast each node is read.")

  @Argument(help: "The pack.", completion: .directory)
  var pack: String

  @OptionGroup var arguments: PlacementArguments

  @Option(help: "How the weights are held in memory.")
  var memory = MemoryChoice.auto

  @Flag(help: "Print one JSON document.")
  var json = false

  @Flag(help: "Do not measure the bandwidth.")
  var noBandwidth = false

  @Option(
    help: "Also draw a map of the pages, the bandwidth and the distances of the nodes to this SVG file.",
    completion: .file(extensions: ["svg"]))
  var svg: String?

  @Option(
    help: "Also write the map and the report to this HTML file, which needs no other.", completion: .file(extensions: ["html"]))
  var html: String?

  @Option(help: "Exit with 1 if less than this percentage of the pages is on the right node.")
  var requireLocal: Double?

  @Option(help: "Wait this many seconds after printing, so that other programs can look at the pages.")
  var hold: UInt32 = 0

  func validate() throws {
    for (option, path) in [("--svg", svg), ("--html", html)] where path == "-" {
      throw ValidationError("\(option) -: this cannot be written to standard output; name a file")
    }
    if let requireLocal, !(0...100).contains(requireLocal) {
      throw ValidationError("--require-local \(requireLocal): must be between 0 and 100")
    }
  }

  func run() throws {
    let pack = try Pack.open(named: pack)
    // A file that cannot be written must fail before the weights are read.
    for path in [svg, html] { if let path { _ = try WholeFile<FileError>(path) } }
    let teams = try Teams(plan: arguments.teamPlan(pack))
    let mapped = try MappedPack(pack, teams: teams, options: arguments.memoryOptions(memory.kind))
    let report = mapped.placementReport(teams, measuring: !noBandwidth)
    if json {
      Output.print(document: report.document)
    } else {
      for note in report.notes { Terminal.note(note.line) }
      Output.print(lines: report.text(columns: StandardStream.output.columns))
    }
    try draw(report, of: pack)
    if hold > 0 { withExtendedLifetime(mapped) { _ = sleep(hold) } }
    if let requireLocal, report.localPercent < requireLocal { throw ExitCode.failed }
  }

  private func draw(_ report: PlacementReport, of pack: Pack) throws {
    guard svg != nil || html != nil else { return }
    let name = pack.path.split(separator: "/").last.map(String.init) ?? pack.path
    let picture = PlacementPicture(report, of: name, on: Topology.read())
    if let svg { try WholeFile<FileError>.write(picture.svg, to: svg) }
    if let html { try WholeFile<FileError>.write(picture.html(report.text(columns: nil).joined(separator: "\n")), to: html) }
  }
}
