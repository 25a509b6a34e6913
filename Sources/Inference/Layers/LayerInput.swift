// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackRuntime

/// The source of the layers' own inputs: a vector for each token and layer, all made before the first layer (Gemma 3n and 4, the E
/// models).
struct LayerInputSource {
  /// [token of the vocabulary][layer][width]
  let embedding: Matrix
  /// The projection from the token's embedding to the vectors of all layers.
  let projection: Matrix
  let norm: Vector
  /// The length of one layer's vector, in elements.
  let width: Int

  /// Binds the source; nil if the model has none.
  init?(_ configuration: ModelConfiguration, _ binder: inout WeightBinder) throws(ModelError) {
    width = configuration.layerInputLength
    guard width > 0 else { return nil }
    let all = width * configuration.layerCount
    let vocabulary = binder.shape("per_layer_token_embd.weight")?.rows ?? 0
    guard vocabulary == binder.shape("token_embd.weight")?.rows else {
      throw .missingTensor(name: "per_layer_token_embd.weight with a row for each token")
    }
    embedding = try binder.matrix("per_layer_token_embd", columns: all, rows: vocabulary)
    projection = try binder.matrix("per_layer_model_proj", columns: configuration.embeddingLength, rows: all)
    norm = try binder.vector("per_layer_proj_norm.weight", count: width)
  }

  /// The length of all layers' vectors together, in elements.
  var length: Int { projection.rows }
}

/// What one layer does with its own input: the residual gates it, and the projected result is added to the residual.
struct LayerInput: LayerPart {
  /// The projection from the residual to the gate.
  let gate: Matrix
  /// The projection from the gated vector to the residual's length.
  let projection: Matrix
  /// The norm of the output.
  let norm: Vector
  /// The elements of the layer's vector among those of all layers.
  let elements: Range<Int>

  init(_ model: ModelConfiguration, _ index: Int, _ prefix: String, _ binder: inout WeightBinder) throws(ModelError) {
    let width = model.layerInputLength
    gate = try binder.matrix("\(prefix)inp_gate", columns: model.embeddingLength, rows: width)
    projection = try binder.matrix("\(prefix)proj", columns: width, rows: model.embeddingLength)
    norm = try binder.vector("\(prefix)post_norm.weight", count: model.embeddingLength)
    elements = index * width..<(index + 1) * width
    guard !gate.bias.isPresent else { throw .unusedTensor(name: "\(prefix)inp_gate.bias") }
  }

  var readsQuants: Bool { gate.readsQuants }
  var readsFloats: Bool { gate.readsFloats }
  var outputBias: Vector { projection.bias }
  var longestRow: Int { elements.count }

  func takeRoom(_ room: inout TeamRoom, _ sizes: PassSizes) { _ = hidden(&room, sizes) }

  /// Takes room for the gated vectors, [token][width].
  @inline(__always)
  func hidden(_ room: inout TeamRoom, _ sizes: PassSizes) -> Columns {
    room.parts.columns(sizes.batch, length: elements.count)
  }
}

extension PassThread {
  /// Makes all layers' vectors of the step's tokens. The team may read them after the next barrier.
  func makeLayerInputs() {
    guard let source = pass.layerInputs else { return }
    normalize(.none, quantizing: source.projection.readsQuants)
    let part = part(of: source.projection.unitCount(team: worker.team))
    project(source.projection, first: 0, part, normed, into: buffers.layerInputs)
    worker.barrier()
    let row = own.column[..<source.length]
    let scale = 1 / Float(pass.sizes.embedding).squareRoot()
    for token in self.part(of: step.count) {
      countCrossing(
        source.embedding.dequantize(row: Int(step.tokens[token]), nearestTo: worker.team, kernels, into: row))
      for layer in 0..<pass.trunkCount {
        let elements = layer * source.width..<(layer + 1) * source.width
        let target = buffers.layerInputs[token][elements]
        kernels.scale(target, by: scale)
        kernels.normalize(target, weights: vector(source.norm), epsilon: pass.normEpsilon, into: target)
        kernels.add(row[elements], times: Float(source.width).squareRoot(), to: target)
        kernels.scale(target, by: Float(0.5).squareRoot())
      }
    }
  }

  /// Runs a layer's input, from the residual without a norm to the output in `projected`.
  func run(_ input: LayerInput) {
    var room = room
    let hidden = input.hidden(&room, pass.sizes)
    guard let rows = hidden.plain else { return }
    project(input.gate, first: 0, part(of: input.gate.unitCount(team: worker.team)), normed, into: rows)
    worker.barrier()
    for token in part(of: step.count) {
      kernels.activate(.geGLU, gate: rows[token], up: buffers.layerInputs[token][input.elements])
      if input.projection.readsQuants { hidden.quantize(kernels, rows[token], column: token) }
    }
    worker.teamBarrier()
    projectOutput(input.projection, hidden)
  }
}
