// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import Files
import PackFormat

/// `ggufpack inspect`: what is in a pack.
struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect", abstract: "Show what a pack contains, without reading weights.")

  @Argument(help: "The pack.", completion: .directory)
  var pack: String

  @Flag(help: "List every tensor with its slices.")
  var tensors = false

  func run() throws {
    let pack = try Pack.open(named: pack)
    var lines = header(pack) + blobs(pack.manifest)
    lines.append("tensors     \(pack.manifest.tensors.count)")
    lines += WeightSum.byType(pack.manifest).map { "  \($0)" }
    if tensors { lines += pack.manifest.tensors.flatMap(list) }
    Output.print(lines.map(\.oneLine).joined(separator: "\n"))
  }

  private func header(_ pack: Pack) -> [String] {
    let manifest = pack.manifest
    let sources = manifest.source.map { "\($0.name) (\(ByteCount($0.byteCount)))" }
    return [
      "model       \(pack.metadata.string("general.name") ?? "without a name")",
      "arch        \(pack.metadata.string("general.architecture") ?? "unknown")",
      "source      \(sources.joined(separator: ", "))",
      "written by  \(manifest.writer), format \(manifest.formatVersion), layouts \(manifest.layoutVersion)",
      "placement   \(manifest.placement.rawValue) for \(Count(manifest.nodeCount, "node")), "
        + "aligned to \(ByteCount(manifest.alignment))",
    ]
  }

  private func blobs(_ manifest: PackManifest) -> [String] {
    manifest.blobs.enumerated().map { index, blob in
      // Every copy of a mirror holds the slices of the first.
      let holder = manifest.placement == .mirror ? 0 : index
      let used = manifest.tensors.reduce(0) { sum, tensor in
        sum + tensor.slices.filter { $0.blob == holder }.reduce(0) { $0 + $1.byteCount * tensor.expertCount }
      }
      let nodes = blob.node.map { "node \($0)" } ?? "all nodes"
      let stored = blob.storage == nil ? "" : ", compressed to \(ByteCount(blob.storedByteCount))"
      return "blob        \(blob.file) for \(nodes): \(ByteCount(blob.byteCount)), including \(ByteCount(blob.byteCount - used)) "
        + "of padding\(stored)"
    }
  }

  private func list(_ tensor: PackTensor) -> [String] {
    let slices = tensor.slices.map { slice in
      let experts = slice.expertStride > 0 ? ", an expert every \(slice.expertStride) bytes" : ""
      return "  blob \(slice.blob) at \(slice.offset): rows \(slice.rowBegin) to \(slice.rowBegin + slice.rowCount - 1), "
        + "\(Count(slice.byteCount, "byte")) in \(slice.layout.rawValue)\(experts)"
    }
    return ["\(tensor.name)  \(tensor.type.name)  \(tensor.dimensions.map(String.init).joined(separator: " × "))"] + slices
  }
}

/// The tensors of one type in one layout.
private struct WeightSum: CustomStringConvertible {
  var name: String
  var tensorCount = 0
  var byteCount = 0
  /// Bytes in the files, of a compressed pack.
  var storedByteCount: Int?

  var description: String {
    let stored = storedByteCount.map { ", compressed to \(Decimal(100 * Double($0) / Double(max(byteCount, 1)), 1)) %" } ?? ""
    return "\(name): \(Count(tensorCount, "tensor")), \(ByteCount(byteCount))\(stored)"
  }

  /// The sums of a pack, the largest first.
  static func byType(_ manifest: PackManifest) -> [WeightSum] {
    let stored = storedByteCounts(manifest)
    var sums: [String: WeightSum] = [:]
    for tensor in manifest.tensors {
      let name = "\(tensor.type.name) in \((tensor.slices.first?.layout ?? .gguf).rawValue)"
      var sum = sums[name] ?? WeightSum(name: name)
      sum.tensorCount += 1
      for slice in tensor.slices {
        sum.byteCount += slice.byteCount * tensor.expertCount
        // A segment begins where a slice does.
        if let bytes = stored[slice.blob]?[slice.offset] { sum.storedByteCount = (sum.storedByteCount ?? 0) + bytes }
      }
      sums[name] = sum
    }
    return sums.values.sorted { ($0.byteCount, $1.name) > ($1.byteCount, $0.name) }
  }

  /// The stored bytes of each segment, by blob and by the segment's offset in the content.
  private static func storedByteCounts(_ manifest: PackManifest) -> [Int: [Int: Int]] {
    var result: [Int: [Int: Int]] = [:]
    for (index, blob) in manifest.blobs.enumerated() {
      var start = 0
      for segment in blob.storage?.segments ?? [] {
        result[index, default: [:]][start] = segment.storedByteCount
        start += segment.byteCount
      }
    }
    return result
  }
}
