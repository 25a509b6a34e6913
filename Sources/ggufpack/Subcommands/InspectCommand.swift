// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import PackFormat

/// `ggufpack inspect`: what is in a pack.
struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect", abstract: "Show what a pack holds, without reading weights.")

  @Argument(help: "The pack.", completion: .directory)
  var pack: String

  @Flag(help: "List every tensor with its slices.")
  var tensors = false

  func run() throws {
    try reportingErrors {
      let pack = try Pack.open(pack)
      let manifest = pack.manifest
      print("model       \(pack.metadata.string("general.name") ?? "without a name")")
      print("arch        \(pack.metadata.string("general.architecture") ?? "unknown")")
      print("source      \(manifest.source.map { "\($0.name) (\(ByteCount($0.byteCount)))" }.joined(separator: ", "))")
      print("written by  \(manifest.writer), format \(manifest.formatVersion), layouts \(manifest.layoutVersion)")
      print(
        "placement   \(manifest.placement.rawValue) for \(manifest.nodeCount) nodes, aligned to \(ByteCount(manifest.alignment))")
      for index in manifest.blobs.indices { show(blob: index, of: manifest) }
      print("tensors     \(manifest.tensors.count)")
      let stored = storedByType(manifest)
      for (name, bytes, count) in weightsByType(manifest) {
        let share = stored[name].map { $0 * 1000 / max(bytes, 1) }.map { ", compressed to \($0 / 10).\($0 % 10) %" } ?? ""
        print("  \(name): \(count) tensors, \(ByteCount(bytes))\(share)")
      }
      if tensors { manifest.tensors.forEach(show) }
    }
  }

  private func show(blob index: Int, of manifest: PackManifest) {
    let blob = manifest.blobs[index]
    // Every copy of a mirror holds the slices of the first.
    let holder = manifest.placement == .mirror ? 0 : index
    let used = manifest.tensors.reduce(0) { sum, tensor in
      sum + tensor.slices.filter { $0.blob == holder }.reduce(0) { $0 + $1.byteCount * tensor.expertCount }
    }
    let node = blob.node.map { "node \($0)" } ?? "all nodes"
    let stored = blob.storage == nil ? "" : ", compressed to \(ByteCount(blob.storedByteCount))"
    print(
      "blob        \(blob.file) for \(node): \(ByteCount(blob.byteCount)), of it padding \(ByteCount(blob.byteCount - used))\(stored)"
    )
  }

  /// Type and layout, bytes and number of tensors, the largest first.
  private func weightsByType(_ manifest: PackManifest) -> [(String, Int, Int)] {
    var sums: [String: (bytes: Int, count: Int)] = [:]
    for tensor in manifest.tensors {
      let layout = tensor.slices.first?.layout ?? .gguf
      let name = "\(tensor.type.name) in \(layout.rawValue)"
      sums[name, default: (0, 0)].bytes += tensor.slices.reduce(0) { $0 + $1.byteCount } * tensor.expertCount
      sums[name, default: (0, 0)].count += 1
    }
    return sums.map { ($0.key, $0.value.bytes, $0.value.count) }.sorted { ($0.1, $1.0) > ($1.1, $0.0) }
  }

  /// Bytes in the files by the same names, of a compressed pack; none of another one.
  private func storedByType(_ manifest: PackManifest) -> [String: Int] {
    var sums: [String: Int] = [:]
    var segments: [Int: [Int: Int]] = [:]
    for (index, blob) in manifest.blobs.enumerated() {
      var start = 0
      for segment in blob.storage?.segments ?? [] {
        segments[index, default: [:]][start] = segment.storedByteCount
        start += segment.byteCount
      }
    }
    for tensor in manifest.tensors {
      let layout = tensor.slices.first?.layout ?? .gguf
      for slice in tensor.slices {
        // A segment begins where a slice does.
        if let stored = segments[slice.blob]?[slice.offset] {
          sums["\(tensor.type.name) in \(layout.rawValue)", default: 0] += stored
        }
      }
    }
    return sums
  }

  private func show(_ tensor: PackTensor) {
    print("\(tensor.name)  \(tensor.type.name)  \(tensor.dimensions.map(String.init).joined(separator: " × "))")
    for slice in tensor.slices {
      let experts = slice.expertStride > 0 ? ", every \(slice.expertStride) bytes" : ""
      print(
        "  blob \(slice.blob) at \(slice.offset): rows \(slice.rowBegin) to \(slice.rowBegin + slice.rowCount - 1), "
          + "\(slice.byteCount) bytes in \(slice.layout.rawValue)\(experts)")
    }
  }
}
