// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import GGUF
import GGUFWriting
import PackFormat

@testable import Inference

/// A small model that is read from a file, changed, and written again.
struct EditedModel {
  struct Tensor {
    var name: String
    var type: WeightType
    /// The sizes, starting with the length of a row.
    var dimensions: [Int]
    var bytes: [UInt8]

    /// Returns one of several matrices that lie one after another.
    func part(_ index: Int, of count: Int) -> [UInt8] {
      Array(bytes[bytes.count / count * index..<bytes.count / count * (index + 1)])
    }
  }

  var metadata: GGUFMetadata
  var tensors: [Tensor]

  /// Reads one of the fixtures, such as `llama-tiny`.
  init(fixture name: String) throws {
    try self.init(URL(filePath: #filePath).appending(path: "../../../fixtures/\(name).gguf").standardized.path)
  }

  init(_ path: String) throws {
    let model = try GGUFModel.open(path)
    let file = try Data(contentsOf: URL(filePath: path))
    metadata = model.metadata
    tensors = model.tensors.map { tensor in
      let start = model.parts[0].header.dataOffset + tensor.info.offset
      return Tensor(
        name: tensor.info.name, type: tensor.info.type, dimensions: tensor.info.dimensions,
        bytes: Array(file[start..<start + tensor.info.byteCount]))
    }
  }

  subscript(_ name: String) -> Tensor? { tensors.first { $0.name == name } }

  mutating func remove(_ isUnwanted: (String) -> Bool) { tensors.removeAll { isUnwanted($0.name) } }

  /// Adds a vector of floats.
  mutating func add(_ name: String, _ values: [Float], dimensions: [Int]? = nil) {
    tensors.append(
      Tensor(
        name: name, type: .f32, dimensions: dimensions ?? [values.count], bytes: values.withUnsafeBytes { Array($0) }))
  }

  /// Sets a key of the model's architecture.
  mutating func set(_ key: String, _ value: MetadataValue) {
    metadata["\(metadata.string("general.architecture") ?? "").\(key)"] = value
  }

  /// Returns a pack of the model in its current state.
  func packed(nodes: Int = 1, placement: PackManifest.Placement = .shard) throws -> PackedModel {
    let file = FileManager.default.temporaryDirectory.appending(path: "edited-\(UUID().uuidString).gguf").path
    defer { try? FileManager.default.removeItem(atPath: file) }
    var writer = GGUFWriter()
    writer.metadata = metadata
    writer.tensors = tensors.map { GGUFWriter.Tensor(name: $0.name, type: $0.type, dimensions: $0.dimensions) }
    try writer.write(to: file) { tensors[$0].bytes }
    return try PackedModel(file, nodes: nodes, placement: placement)
  }

  /// Returns the logits of a few tokens.
  func logits(nodes: Int = 1) throws -> [Float] {
    var options = ModelOptions()
    options.contextLength = 64
    return try packed(nodes: nodes).model(options: options).allLogits((0..<12).map { Int32($0 * 13 % 200 + 1) })
  }
}
