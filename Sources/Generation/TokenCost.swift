// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Inference
import PackFormat
import PackRuntime

/// What computing a token takes of a machine: bytes that are read from memory, and products that are added up.
public struct TokenCost: Sendable, Hashable {
  /// Bytes of weights that one step reads: of experts, those that one token chooses.
  public let weightByteCount: Int
  /// Bytes of keys and values for each position of a sequence, on all nodes.
  public let cacheByteCountPerPosition: Int
  /// Positions that layers with a window see; nil if no layer has one.
  public let window: Int?
  /// Whether each token chooses among experts, so that several tokens read more weights than one.
  public let choosesExperts: Bool
  /// Products of a weight and an activation for each token of a prompt. The output matrix is not counted, which only the last token
  /// takes; nor is attention, whose products grow with the length.
  public let multiplyAdds: Int

  /// Counts what the model of `session` takes.
  public init(_ session: Session) {
    let manifest = session.pack.manifest
    let metadata = session.pack.metadata
    let architecture = metadata.string("general.architecture") ?? ""
    let layers =
      (metadata.integer(architecture + ".block_count") ?? 0) - (metadata.integer(architecture + ".nextn_predict_layers") ?? 0)
    let chosen = metadata.integer(architecture + ".expert_used_count") ?? 0
    let hasOutput = manifest.tensors.contains { $0.name == "output.weight" }
    var (bytes, products) = (0, 0)
    for tensor in manifest.tensors {
      // Layers beyond the graph predict tokens that are not asked for.
      if let layer = Self.layer(of: tensor.name), layer >= layers { continue }
      let isEmbedding = tensor.name == "token_embd.weight"
      let used = tensor.expertCount > 1 ? min(chosen, tensor.expertCount) : 1
      let size = tensor.slices.reduce(0) { $0 + $1.byteCount } * used
      // Of an embedding that is not the output, too, a token reads one row.
      bytes += isEmbedding && hasOutput ? size / max(tensor.rowCount, 1) : size
      if !isEmbedding, tensor.name != "output.weight", tensor.dimensions.count > 1 {
        products += tensor.rowElements * tensor.rowCount * used
      }
    }
    weightByteCount = bytes
    multiplyAdds = products
    choosesExperts = chosen > 0
    window = metadata.integer(architecture + ".attention.sliding_window").flatMap { $0 > 0 ? $0 : nil }
    let positions = session.group.models.reduce(0) { $0 + $1.contextLength * $1.sequenceCount }
    cacheByteCountPerPosition = session.group.models.reduce(0) { $0 + $1.cacheByteCount } / max(positions, 1)
  }

  /// Bytes of keys and values that a token after `positions` others reads. Beyond a window it is at least this: not all layers have
  /// one, and those that have none read more.
  public func cacheByteCount(after positions: Double) -> Double {
    Double(cacheByteCountPerPosition) * (window.map { min(Double($0), positions) } ?? positions)
  }

  private static func layer(of name: String) -> Int? {
    guard name.hasPrefix("blk.") else { return nil }
    return Int(name.dropFirst(4).prefix { $0 != "." })
  }
}
