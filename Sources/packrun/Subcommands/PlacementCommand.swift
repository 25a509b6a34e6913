// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import Glibc
import PackFormat
import PackRuntime

/// Maps a pack and prints where the kernel says its pages are.
struct PlacementCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "placement",
    abstract: "Map a pack and show which node each page is on, as the kernel counts them, and how fast it is read.")

  @Argument(help: "The pack.", completion: .directory)
  var pack: String

  @OptionGroup var arguments: PlacementArguments

  @Option(help: "How the weights are held in memory.")
  var memory = MemoryChoice.auto

  @Flag(help: "Print one JSON document.")
  var json = false

  @Flag(help: "Do not measure the bandwidth.")
  var noBandwidth = false

  @Option(help: "Exit with 1 if less than this percentage of the pages is on the right nodes.")
  var requireLocal: Double?

  @Option(help: "Wait this many seconds after printing, so that other programs can look at the pages.")
  var hold: UInt32 = 0

  func validate() throws {
    if let requireLocal, !(0...100).contains(requireLocal) {
      throw ValidationError("--require-local \(requireLocal): must be between 0 and 100")
    }
  }

  func run() throws {
    let pack = try Pack.open(named: pack)
    let teams = try Teams(plan: arguments.teamPlan(pack))
    let mapped = try MappedPack(pack, teams: teams, options: arguments.memoryOptions(memory.kind))
    let report = mapped.placementReport(teams, measuring: !noBandwidth)
    if json {
      Output.print(document: report.document)
    } else {
      for note in report.notes { Terminal.note(note.line) }
      Output.print(report.text)
    }
    if hold > 0 { withExtendedLifetime(mapped) { _ = sleep(hold) } }
    if let requireLocal, report.localPercent < requireLocal { throw ExitCode.failed }
  }
}
