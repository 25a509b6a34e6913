// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Console
import Files
import JSON
import PackRuntime

extension PlacementReport {
  /// The report as people read it.
  var text: String {
    let choice = reason.map { "\(memory) (\($0.line))" } ?? memory
    var lines = ["memory: \(choice), pages counted by \(isFromNumaMaps ? "/proc/self/numa_maps" : "move_pages")"]
    var table = Table([
      ("blob", .left), ("node", .right), ("size", .right), ("local", .right), ("pages there", .right), ("elsewhere", .right),
      ("absent", .right), ("page size", .right), ("faults", .right), ("per GiB", .right), ("seconds", .right), ("GB/s", .right),
    ])
    for blob in blobs { table.append(blob.row) }
    lines += table.lines
    if !bandwidth.isEmpty {
      lines += ["", "read bandwidth in GB/s: each node's threads (rows) reading each node's weights (columns)"]
      lines += bandwidthTable.lines
    }
    return lines.joined(separator: "\n")
  }

  private var bandwidthTable: Table {
    let columns = Set(bandwidth.map(\.memoryNode)).sorted()
    var table = Table([("threads on", .left)] + columns.map { ("node \($0)", .right) })
    for start in stride(from: 0, to: bandwidth.count, by: max(columns.count, 1)) {
      let cells = bandwidth[start..<min(start + columns.count, bandwidth.count)]
      guard let first = cells.first, cells.count == columns.count else { continue }
      table.append(
        ["node \(first.teamNode) (\(first.threads))"] + cells.map { Decimal($0.gigabytesPerSecond, 1).description })
    }
    return table
  }

  /// The report as a JSON document.
  var document: JSONObject {
    var document = JSONObject()
    document.set("memory", memory)
    if let reason { document.set("reason", reason.line) }
    document.set("blobs", blobs.map(\.json))
    document.set("bandwidth", bandwidth.map(\.json))
    document.set("notes", notes.map(\.line))
    document.set("isFromNumaMaps", isFromNumaMaps)
    return document
  }
}

extension PlacementReport.Blob {
  fileprivate var row: [String] {
    let remote = remotePages.sorted { $0.key < $1.key }.map { "node \($0.key): \($0.value)" }.joined(separator: ", ")
    let gibibytes = Double(max(byteCount, 1)) / Double(1 << 30)
    return [
      file, "\(node)", "\(ByteCount(byteCount))", "\(Decimal(localPercent, 2)) %", "\(localPages)",
      remote.isEmpty ? "0" : remote, "\(absentPages)", pageSizes, "\(faults)", "\(Decimal(Double(faults) / gibibytes, 0))",
      "\(Decimal(seconds, 3))", "\(Decimal(gigabytesPerSecond, 2))",
    ]
  }

  private var pageSizes: String {
    let parts = percentByPageSize.filter { $0.percent > 0 }
    if parts.isEmpty { return "-" }
    if parts.count == 1 { return parts[0].name }
    return parts.map { "\($0.name) \(Decimal($0.percent, 0)) %" }.joined(separator: ", ")
  }

  fileprivate var json: JSONObject {
    var json = JSONObject()
    json.set("file", file)
    json.set("node", node)
    json.set("byteCount", byteCount)
    json.set("localPages", localPages)
    json["remotePages"] = .object(JSONObject(remotePages.map { ("\($0.key)", .integer(Int128($0.value))) }))
    json.set("absentPages", absentPages)
    json.set("localPercent", localPercent)
    json.set("mappedBy2M", mappedBy2M)
    json.set("mappedBy1G", mappedBy1G)
    json.set("faults", faults)
    json.set("seconds", seconds)
    json.set("gigabytesPerSecond", gigabytesPerSecond)
    return json
  }
}

extension PlacementReport.Bandwidth {
  fileprivate var json: JSONObject {
    var json = JSONObject()
    json.set("teamNode", teamNode)
    json.set("memoryNode", memoryNode)
    json.set("threads", threads)
    json.set("gigabytesPerSecond", gigabytesPerSecond)
    return json
  }
}
