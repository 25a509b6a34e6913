// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import Doctor
import Files
import JSON
import PackFormat

/// `packrun doctor`: lists what slows packs down on this machine.
struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor", abstract: "Show what slows packs down on this machine, with the command that fixes it.",
    discussion: """
      Below each command, shell comments say what it changes, how to undo that, and how to make it last over a reboot. doctor itself \
      changes nothing.
      """)

  @Argument(help: "The pack to run here.", completion: .directory)
  var pack: String?

  @Flag(help: "Print one JSON document.")
  var json = false

  @Flag(help: "Exit with 1 if there is something to fix.")
  var check = false

  func run() throws {
    let findings = Doctor().examine(try pack.map { try Pack.open(named: $0) })
    if json {
      var document = JSONObject()
      document.set("pack", pack)
      document.set("problemCount", findings.count(where: \.isProblem))
      document.set("findings", findings.map(\.json))
      Output.print(document: document)
    } else {
      for finding in findings { finding.print() }
    }
    if check, findings.contains(where: \.isProblem) { throw ExitCode.failed }
  }
}

extension Doctor.Finding {
  /// Prints the finding for people; every command below it can be pasted into a shell.
  fileprivate func print() {
    Output.print(line: "\(isProblem ? "fix" : "ok ")  \(text)".oneLine, indent: 5)
    guard let fix else { return }
    // Spaces within a command can be significant, so the line is not wrapped.
    Output.print("     \(fix.command)".oneLine)
    Output.print(line: "     # changes: \(fix.change)".oneLine)
    Output.print("     # undo: \(fix.undo ?? "nothing to undo")".oneLine)
    if let lasting = fix.lasting {
      Output.print("     # at every boot: \(lasting.command)".oneLine)
      Output.print("     # undo that: \(lasting.undo)".oneLine)
    }
  }

  fileprivate var json: JSONObject {
    var json = JSONObject()
    json.set("isProblem", isProblem)
    json.set("text", text)
    guard let fix else { return json }
    var object = JSONObject()
    object.set("command", fix.command)
    object.set("change", fix.change)
    object.set("undo", fix.undo)
    if let lasting = fix.lasting {
      var document = JSONObject()
      document.set("command", lasting.command)
      document.set("undo", lasting.undo)
      object.set("lasting", document)
    }
    json.set("fix", object)
    return json
  }
}
