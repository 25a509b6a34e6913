// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The projections between the residual and experts with shorter inputs and outputs (Nemotron 3 Super, Kimi K3).
///
/// The router and the shared expert read the residual itself.
struct LatentExperts {
  /// The length of the experts' inputs and outputs, in elements.
  let length: Int
  /// The projection from the residual to the experts' inputs.
  let down: Matrix
  /// The norm of the sum of the experts' outputs; absent in Nemotron.
  let norm: Vector
  /// The projection from the sum of the experts' outputs to the residual.
  let up: Matrix

  init(length: Int, _ model: ModelConfiguration, _ prefix: String, _ binder: inout WeightBinder) throws(ModelError) {
    let name = "\(prefix)ffn_\(model.architecture.keys.contains(.expertLatent) ? "routed" : "latent")"
    self.length = length
    down = try binder.matrix("\(name)_down", columns: model.embeddingLength, rows: length)
    norm = try binder.vector("\(name)_norm.weight", count: length, isRequired: false)
    up = try binder.matrix("\(name)_up", columns: length, rows: model.embeddingLength)
    guard !down.bias.isPresent, !up.bias.isPresent else { throw .unusedTensor(name: "\(name)_down.bias, or that of up,") }
  }

  /// Returns the length that the file names; nil if experts read the residual.
  static func length(_ reader: MetadataReader, _ architecture: Architecture) throws(ModelError) -> Int? {
    for key in [Architecture.OptionalKey.expertLatent, .mixtureLatent] where architecture.keys.contains(key) {
      if let length = try reader.size(key.rawValue), length > 0 { return length }
    }
    return nil
  }
}
