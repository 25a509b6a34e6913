// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc
import PackRuntime

/// Waits, with everything mapped.
func pause(_ seconds: UInt32) { sleep(seconds) }

/// The report of `packrun placement` as people read it.
struct PlacementTable {
  let report: PlacementReport

  init(_ report: PlacementReport) { self.report = report }

  var text: String {
    var lines = ["memory: \(report.memory), pages counted by \(report.isFromNumaMaps ? "/proc/self/numa_maps" : "move_pages")"]
    lines += Self.align(
      [
        [
          "blob", "node", "size", "local", "pages there", "elsewhere", "absent", "page size", "faults", "per GiB", "seconds",
          "GB/s",
        ]
      ]
        + report.blobs.map { row($0) })
    if !report.bandwidth.isEmpty {
      lines += ["", "read bandwidth in GB/s: a node's threads (rows) on a node's weights (columns)"]
      lines += Self.align(matrix)
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private func row(_ blob: PlacementReport.Blob) -> [String] {
    let remote = blob.remotePages.sorted { $0.key < $1.key }.map { "node \($0.key): \($0.value)" }.joined(separator: ", ")
    let gibibytes = Double(max(blob.byteCount, 1)) / Double(1 << 30)
    return [
      blob.file, "\(blob.node)", "\(ByteCount(blob.byteCount))", Self.decimal(blob.localPercent, 2) + " %", "\(blob.localPages)",
      remote.isEmpty ? "0" : remote, "\(blob.absentPages)", pageSizes(blob), "\(blob.faults)",
      Self.decimal(Double(blob.faults) / gibibytes, 0), Self.decimal(blob.seconds, 3), Self.decimal(blob.gigabytesPerSecond, 2),
    ]
  }

  private func pageSizes(_ blob: PlacementReport.Blob) -> String {
    let all = (blob.localPages + blob.absentPages + blob.remotePages.values.reduce(0, +)) * 4096
    guard all > 0 else { return "-" }
    let parts = [("1G", blob.mappedBy1G), ("2M", blob.mappedBy2M), ("4K", all - blob.mappedBy1G - blob.mappedBy2M)].filter {
      $0.1 > 0
    }
    if parts.count == 1 { return parts[0].0 }
    return parts.map { "\($0.0) \(Self.decimal(100 * Double($0.1) / Double(all), 0)) %" }.joined(separator: ", ")
  }

  private var matrix: [[String]] {
    let columns = Set(report.bandwidth.map(\.memoryNode)).sorted()
    var rows: [[String]] = [["threads on"] + columns.map { "node \($0)" }]
    var index = 0
    while index < report.bandwidth.count {
      let cells = report.bandwidth[index..<min(index + columns.count, report.bandwidth.count)]
      if let first = cells.first {
        rows.append(["node \(first.teamNode) (\(first.threads))"] + cells.map { Self.decimal($0.gigabytesPerSecond, 1) })
      }
      index += columns.count
    }
    return rows
  }

  private static func align(_ rows: [[String]]) -> [String] {
    let widths = (rows.first ?? []).indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      row.indices.map { column in
        let padding = String(repeating: " ", count: widths[column] - row[column].count)
        return column == 0 ? row[column] + padding : padding + row[column]
      }.joined(separator: "  ")
    }
  }

  /// A number with that many decimals.
  static func decimal(_ value: Double, _ decimals: Int) -> String {
    let scale = (0..<decimals).reduce(1.0) { result, _ in result * 10 }
    let whole = Int((value * scale).rounded())
    guard decimals > 0 else { return "\(whole)" }
    let digits = String(whole % Int(scale))
    return "\(whole / Int(scale))." + String(repeating: "0", count: decimals - digits.count) + digits
  }
}
