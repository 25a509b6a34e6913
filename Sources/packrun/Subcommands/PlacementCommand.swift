// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import FoundationEssentials
import PackFormat
import PackRuntime

/// Maps a pack and prints where the kernel says its pages are.
struct PlacementCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "placement", abstract: "Map a pack and show, by the kernel's counts, where each page lies and how fast it is read."
  )

  @Argument(help: "The pack.", completion: .directory)
  var pack: String

  @OptionGroup var arguments: PlacementArguments

  @Option(help: "Where the weights lie: auto, hugetlb, anon, file or pinned.")
  var memory = "auto"

  @Flag(help: "Print one JSON document.")
  var json = false

  @Flag(help: "Leave out the bandwidth.")
  var noBandwidth = false

  @Option(help: "Exit with 1 unless this percentage of the pages lies on the right nodes.")
  var requireLocal: Double?

  @Option(help: "Stay this many seconds after printing, for others to look at the pages.")
  var hold: UInt32 = 0

  func run() throws {
    try reportingErrors {
      let pack = try Pack.open(pack)
      let teams = try Teams(plan: arguments.teamPlan(pack))
      let options = try arguments.memoryOptions(MemoryOptions.kind(memory))
      let mapped = try MappedPack(pack, teams: teams, options: options)
      let report = mapped.placementReport(teams, measuring: !noBandwidth)
      if json {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
        Terminal.print(String(decoding: try encoder.encode(report), as: UTF8.self) + "\n")
      } else {
        for note in report.notes { Terminal.note(note) }
        Terminal.print(PlacementTable(report).text)
      }
      if hold > 0 { withExtendedLifetime(mapped) { pause(hold) } }
      if let requireLocal, report.localPercent < requireLocal { throw ExitCode(1) }
    }
  }
}
