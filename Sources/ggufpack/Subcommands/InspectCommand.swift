// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import Files
import PackFormat

/// `ggufpack inspect`: shows what a pack contains.
struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect", abstract: "Show what a pack contains, without reading weights.")

  @Argument(help: "The pack.", completion: .directory)
  var pack: String

  @Flag(help: "List every tensor with its slices.")
  var tensors = false

  @Flag(help: "Print one JSON document, with every tensor if --tensors is given.")
  var json = false

  func run() throws {
    let pack = try Pack.open(named: pack)
    if json { return Output.print(document: pack.document(listsTensors: tensors)) }
    var lines = header(pack) + blobs(pack.manifest)
    lines.append("tensors     \(pack.manifest.tensors.count)")
    lines += WeightSum.byType(pack.manifest).map { "  \($0)" }
    if tensors { lines += pack.manifest.tensors.flatMap(list) }
    Output.print(lines: lines.map(\.oneLine))
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
      let padding = blob.byteCount - manifest.usedByteCount(of: index)
      let nodes = blob.node.map { "node \($0)" } ?? "all nodes"
      let stored = blob.storage == nil ? "" : ", compressed to \(ByteCount(blob.storedByteCount))"
      return "blob        \(blob.file) for \(nodes): \(ByteCount(blob.byteCount)), including \(ByteCount(padding)) "
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
