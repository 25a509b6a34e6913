// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Console
import Doctor
import Files
import JSON

/// The activity of a process, formatted for people and programs.
struct ActivityText {
  private let process: WatchedProcess
  private let activity: Activity

  init(_ process: WatchedProcess, _ activity: Activity) { (self.process, self.activity) = (process, activity) }

  // MARK: Lines

  /// Returns the lines. If the table is wider than `columns`, the least important columns are left out first.
  func lines(columns: Int, isUTF8: Bool) -> [String] {
    let name = process.pack.flatMap { $0.split(separator: "/").last.map(String.init) }
    var head = [[name, "\(process.program) \(process.id)"].compactMap { $0 }.joined(separator: ": ")]
    if let memory = process.memory { head.append("memory \(memory)") }
    if let rate = activity.tokensPerSecond, let prompt = activity.promptTokensPerSecond {
      head.append("\(Decimal(rate, 1)) tokens/s")
      head.append("prompts \(Decimal(prompt, 1)) tokens/s")
    } else {
      head.append("what it computes is not known")
    }
    return Self.wrap(head, columns) + table(columns, isUTF8)
  }

  /// Joins parts with commas, in as many lines as they need.
  private static func wrap(_ parts: [String], _ columns: Int) -> [String] {
    var lines: [String] = []
    for part in parts.map(\.oneLine) {
      if let last = lines.last, last.count + 2 + part.count < columns {
        lines[lines.count - 1] = "\(last), \(part)"
      } else {
        lines.append(part)
      }
    }
    return lines
  }

  private struct Column: Sendable {
    var title: String
    var cell: @Sendable (Activity.Node) -> String?
  }

  /// The columns, most important first.
  private static let columns: [Column] = [
    Column(title: "node") { "\($0.id)" },
    Column(title: "tok/s") { $0.tokensPerSecond.map { Decimal($0, 1).description } },
    Column(title: "GB/s") { $0.gigabytesPerSecond.map { Decimal($0, $0 < 10 ? 2 : 1).description } },
    Column(title: "local") { $0.localPercent.map { "\(Decimal($0, 2)) %" } },
    Column(title: "busy") { "\(Decimal($0.busyPercent, 0)) %" },
    Column(title: "threads") { "\($0.threads)" },
    Column(title: "in memory") { $0.byteCount.map { "\(ByteCount($0))" } },
  ]

  private func table(_ columns: Int, _ isUTF8: Bool) -> [String] {
    // A column without any known value is left out.
    let known = Self.columns.filter { column in activity.nodes.contains { column.cell($0) != nil } }
    var lines: [String] = []
    for count in stride(from: known.count, to: 0, by: -1) {
      var table = Table(known.prefix(count).map { ($0.title, .right) })
      for node in activity.nodes { table.append(known.prefix(count).map { $0.cell(node) ?? "-" }) }
      lines = table.lines
      if (lines.map(\.count).max() ?? 0) < columns { break }
    }
    let width = min(30, columns - (lines.map(\.count).max() ?? 0) - 5)
    guard width >= 8, lines.count == activity.nodes.count + 1 else { return lines }
    // The rest of the line shows how busy each node is.
    return [lines[0]]
      + zip(lines.dropFirst(), activity.nodes).map { "\($0)  [\(Bar(part: $1.busyPercent / 100).text(width, isUTF8: isUTF8))]" }
  }

  // MARK: JSON

  /// The activity as a JSON document; unknown values are left out.
  var document: JSONObject {
    var document = JSONObject()
    document.set("schemaVersion", 1)
    document.set("process", process.id)
    document.set("program", process.program)
    document.set("pack", process.pack)
    document.set("memory", process.memory)
    document.set("seconds", activity.seconds)
    if let rate = activity.tokensPerSecond { document.set("tokensPerSecond", rate) }
    if let rate = activity.promptTokensPerSecond { document.set("promptTokensPerSecond", rate) }
    document.set(
      "nodes",
      activity.nodes.map { node in
        var json = JSONObject()
        json.set("node", node.id)
        json.set("threads", node.threads)
        json.set("busyPercent", node.busyPercent)
        if let rate = node.tokensPerSecond { json.set("tokensPerSecond", rate) }
        if let rate = node.gigabytesPerSecond { json.set("gigabytesPerSecond", rate) }
        json.set("byteCount", node.byteCount)
        if let percent = node.localPercent { json.set("localPercent", percent) }
        return json
      })
    return document
  }
}
