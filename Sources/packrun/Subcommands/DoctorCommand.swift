// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import Doctor
import Files
import JSON
import PackFormat

/// Says what slows packs down on this machine.
struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor", abstract: "Show what slows packs down on this machine, with the command that fixes it.",
    discussion: """
      Below each command stand, as comments of a shell, what it changes, how that is undone, and what does the same at every boot. Nothing \
      is changed by doctor itself.
      """)

  @Argument(help: "The pack that is to run here.", completion: .directory)
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
      for line in findings.flatMap(\.lines) { Output.print(line.oneLine) }
    }
    if check, findings.contains(where: \.isProblem) { throw ExitCode.failed }
  }
}

extension Doctor.Finding {
  /// The finding as people read it: whatever stands below it can be pasted into a shell.
  fileprivate var lines: [String] {
    var lines = ["\(isProblem ? "fix" : "ok ")  \(text)"]
    guard let fix else { return lines }
    lines.append("     \(fix.command)")
    lines.append("     # changes: \(fix.change)")
    if let undo = fix.undo { lines.append("     # undo: \(undo)") }
    if let lasting = fix.lasting {
      lines.append("     # at every boot: \(lasting.command)")
      lines.append("     # undo that: \(lasting.undo)")
    }
    return lines
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
