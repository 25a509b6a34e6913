// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import Doctor
import Files
import PackFormat

/// Says what slows packs down on this machine.
struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor", abstract: "Show what slows packs down on this machine, with the command that fixes it.")

  @Argument(help: "The pack that is to run here.", completion: .directory)
  var pack: String?

  func run() throws {
    for finding in Doctor().examine(try pack.map { try Pack.open(named: $0) }) {
      Output.print("\(finding.isProblem ? "fix" : "ok ")  \(finding.text.oneLine)")
      if let remedy = finding.remedy { Output.print("     \(remedy.oneLine)") }
    }
  }
}
