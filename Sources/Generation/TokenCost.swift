// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Inference
import PackFormat
import PackRuntime

/// What computing a token costs: bytes read from memory, and multiply-adds.
public struct TokenCost: Sendable, Hashable {
  /// Bytes of weights that one step reads. Of experts, only those that one token chooses count.
  public let weightByteCount: Int
  /// Bytes of keys and values for each position of a sequence, on all nodes.
  public let cacheByteCountPerPosition: Int
  /// The window that the metadata names, in positions; nil if there is none.
  public let window: Int?
  /// Whether each token chooses among experts, so that several tokens read more weights than one.
  public let choosesExperts: Bool
  /// Products of a weight and an activation for each token of a prompt. Two things do not count: the output matrix, which only the
  /// last token needs, and attention, which grows with the length.
  public let multiplyAdds: Int

  /// Computes the cost of a token for the model of `session`.
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
      // Prediction layers are not counted.
      if let layer = Self.layer(of: tensor.name), layer >= layers { continue }
      let isEmbedding = tensor.name == "token_embd.weight"
      let used = tensor.expertCount > 1 ? min(chosen, tensor.expertCount) : 1
      let size = tensor.slices.reduce(0) { $0 + $1.byteCount } * used
      // If the embedding is not also the output matrix, a token reads only one row of it.
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

  /// Returns the bytes of keys and values that a token after `positions` others reads. Beyond a window this is a lower bound,
  /// because layers without a window read more.
  public func cacheByteCount(after positions: Double) -> Double {
    Double(cacheByteCountPerPosition) * (window.map { min(Double($0), positions) } ?? positions)
  }

  private static func layer(of name: String) -> Int? {
    guard name.hasPrefix("blk.") else { return nil }
    return Int(name.dropFirst(4).prefix { $0 != "." })
  }
}
