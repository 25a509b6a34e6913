// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Console
import Files
import ModelConsole
import PackRuntime

extension PlacementReport {
  /// Returns the report in lines for people.
  ///
  /// - Parameter columns: The width of the terminal; nil means no limit.
  func text(columns: Int?) -> [String] {
    let choice = reason.map { "\(memory) (\($0.line))" } ?? memory
    var lines = ["memory: \(choice), pages counted by \(isFromNumaMaps ? "/proc/self/numa_maps" : "move_pages")"]
    var table = Table([
      ("blob", .left), ("node", .right), ("size", .right), ("local", .right), ("pages there", .right), ("elsewhere", .right),
      ("absent", .right), ("page size", .right), ("faults", .right), ("per GiB", .right), ("seconds", .right), ("GB/s", .right),
    ])
    for blob in blobs { table.append(blob.row) }
    lines += table.lines(columns: columns)
    if !bandwidth.isEmpty {
      lines += ["", "read bandwidth in GB/s: each node's threads (rows) reading each node's weights (columns)"]
      lines += bandwidthTable.lines(columns: columns)
    }
    return lines
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
}
