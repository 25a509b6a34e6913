// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// All weights of a model.
struct ModelWeights {
  let embedding: Matrix
  /// With the prediction layer at the end, where there is one.
  let layers: [Layer]
  /// What stands around that layer; nil: there is none.
  let prediction: PredictionLayer?
  let layerInputs: LayerInputSource?
  /// What the last norm reads; nil: the residual.
  let outputMixture: ResidualAttention?
  /// How it reads several residual streams; nil: there is one.
  let outputConnection: HyperConnection?
  let outputNorm: Norm
  /// The embedding's matrix again where the model has none of its own.
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

  /// All mixers and networks.
  var parts: [any LayerPart] {
    layers.flatMap { layer in [layer.mixer?.part, layer.network?.part, layer.input].compactMap { $0 } }
      + [prediction].compactMap { $0 }
  }

  /// Whether some attention reads and writes two columns for each token.
  var readsTwoParts: Bool {
    layers.contains { $0.mixer?.readsTwoParts ?? false }
  }

  /// How far back the layers' states can go.
  var history: History { layers.contains { $0.mixer?.part.history == .state } ? .state : .positions }
}
