// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import GGUF
import GGUFWriting
import PackFormat
import Repack

/// A GGUF with random weights, and packs of it, in a temporary folder that is removed with this object.
final class RandomPack {
  let folder = FileManager.default.temporaryDirectory.appending(path: "pack-\(UUID().uuidString)").path
  let model: GGUFModel

  /// The tensors' content in the GGUF, by name.
  private(set) var data: [String: [UInt8]] = [:]

  /// The tensors have ragged rows, stacked experts, a vector, and a type without a 16-row form.
  init(rows: Int = 100) throws {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    var writer = GGUFWriter()
    writer.metadata["general.architecture"] = .text("none")
    writer.tensors = [
      .init(name: "matrix", type: .q8_0, dimensions: [64, rows]),
      .init(name: "vector", type: .f32, dimensions: [48]),
      .init(name: "halves", type: .f16, dimensions: [16]),
      .init(name: "experts", type: .q4_0, dimensions: [64, 40, 3]),
      .init(name: "plain", type: .f32, dimensions: [8, 33]),
    ]
    var state: UInt64 = 1
    for tensor in writer.tensors {
      let elements = tensor.dimensions.dropFirst().reduce(1, *)
      let count = (tensor.type.byteCount(elements: tensor.dimensions[0]) ?? 0) * elements
      data[tensor.name] = (0..<count).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        // The exponent never has all bits set, so that the floats are finite too.
        return UInt8(truncatingIfNeeded: state >> 56) & 0x3f
      }
    }
    let tensors = writer.tensors
    let data = data
    try writer.write(to: folder + "/model.gguf") { data[tensors[$0].name] ?? [] }
    model = try GGUFModel.open(folder + "/model.gguf")
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  /// Writes a pack and opens it.
  func pack(nodes: Int, _ placement: PackManifest.Placement, copies: Bool = false) throws -> Pack {
    var options = PackOptions()
    options.nodeCount = nodes
    options.placement = placement
    options.copies = copies
    let path = folder + "/\(nodes)-\(placement)-\(copies).pack"
    try PackConverter(model, plan: PackPlan(model, options: options)).run(to: path)
    return try Pack.open(path)
  }
}
