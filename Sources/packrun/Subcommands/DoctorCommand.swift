// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Doctor
import PackFormat

/// Says what on this machine costs speed.
struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor", abstract: "Show what on this machine costs speed, each with the command that mends it.")

  @Argument(help: "The pack that is to run here.", completion: .directory)
  var pack: String?

  func run() throws {
    try reportingErrors {
      for finding in Doctor().examine(try pack.map { try Pack.open($0) }) {
        Terminal.print("\(finding.isProblem ? "mend" : "ok  ")  \(finding.text)\n")
        if let remedy = finding.remedy { Terminal.print("      \(remedy)\n") }
      }
    }
  }
}
