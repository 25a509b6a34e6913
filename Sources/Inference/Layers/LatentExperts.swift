// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// What lies between the residual and experts whose inputs and outputs are shorter than it (Nemotron 3 Super, Kimi K3).
///
/// The router and the shared expert read the residual itself.
struct LatentExperts {
  /// Elements of the experts' inputs and outputs.
  let length: Int
  /// From the residual to the experts.
  let down: Matrix
  /// Of the sum of the experts' outputs; none in Nemotron.
  let norm: Vector
  /// From there back to the residual.
  let up: Matrix

  init(length: Int, _ model: ModelConfiguration, _ prefix: String, _ binder: inout WeightBinder) throws(ModelError) {
    let name = "\(prefix)ffn_\(model.architecture.keys.contains(.expertLatent) ? "routed" : "latent")"
    self.length = length
    down = try binder.matrix("\(name)_down", columns: model.embeddingLength, rows: length)
    norm = try binder.vector("\(name)_norm.weight", count: length, isRequired: false)
    up = try binder.matrix("\(name)_up", columns: length, rows: model.embeddingLength)
    guard !down.bias.isPresent, !up.bias.isPresent else { throw .unusedTensor(name: "\(name)_down.bias, or that of up,") }
  }

  /// The length that the file names; nil where experts read the residual.
  static func length(_ reader: MetadataReader, _ architecture: Architecture) throws(ModelError) -> Int? {
    for key in [Architecture.OptionalKey.expertLatent, .mixtureLatent] where architecture.keys.contains(key) {
      if let length = try reader.size(key.rawValue), length > 0 { return length }
    }
    return nil
  }
}
