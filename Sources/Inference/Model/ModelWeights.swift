// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// All weights of a model.
struct ModelWeights {
  let embedding: Matrix
  /// All layers, followed by the prediction layer if it is computed.
  let layers: [Layer]
  /// The parts around the prediction layer; nil: it is not computed.
  let prediction: PredictionLayer?
  let layerInputs: LayerInputSource?
  /// The mixture of residuals that the last norm reads; nil: it reads the residual.
  let outputMixture: ResidualAttention?
  /// How the last norm reads several residual streams; nil: there is one stream.
  let outputConnection: HyperConnection?
  let outputNorm: Norm
  /// The output matrix, which is the embedding matrix if the model has no other.
  let output: Matrix
  let rotaryFactors: RotaryFactors

  init(_ configuration: ModelConfiguration, _ binder: inout WeightBinder) throws(ModelError) {
    let length = configuration.embeddingLength
    let vocabulary = binder.shape("token_embd.weight")?.rows ?? 0
    embedding = try binder.matrix("token_embd", columns: length, rows: vocabulary)
    outputNorm = try Norm(always: "\(configuration.architecture.outputNormName).weight", configuration, &binder)
    let period = configuration.residualPeriod
    outputMixture = try ResidualAttention(
      "output_res_score", count: period == 0 ? 0 : (configuration.layerCount + period - 1) / period, configuration, &binder)
    outputConnection = try HyperConnection("output_hc", isLast: true, configuration, &binder)
    var output = try binder.find("output", columns: length, rows: vocabulary) ?? embedding
    output.bias = try binder.vector("output.bias", count: vocabulary, isRequired: false)
    self.output = output
    rotaryFactors = try RotaryFactors(configuration, &binder)
    layerInputs = try LayerInputSource(configuration, &binder)
    var layers: [Layer] = []
    for index in configuration.layers.indices { layers.append(try Layer(configuration, index, &binder)) }
    self.layers = layers
    prediction = configuration.predicts ? try PredictionLayer(configuration, embedding: embedding, output: output, &binder) : nil
    try binder.checkAllUsed(layerCount: layers.count)
  }

  var vocabularySize: Int { embedding.rows }

  /// All mixers, networks and other parts.
  var parts: [any LayerPart] {
    layers.flatMap { layer in [layer.mixer?.part, layer.network?.part, layer.input].compactMap { $0 } }
      + [prediction].compactMap { $0 }
  }

  /// Whether some attention reads activations as two columns for each token.
  var readsTwoParts: Bool {
    layers.contains { $0.mixer?.readsTwoParts ?? false }
  }

  /// How far back a sequence can be cut, given what its layers keep.
  var history: History { layers.contains { $0.mixer?.part.history == .state } ? .state : .positions }
}
