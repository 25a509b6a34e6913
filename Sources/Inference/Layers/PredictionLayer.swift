// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackRuntime

/// The parts around the layer that predicts the token after the next one (multi-token prediction, DeepSeek V3,
/// https://arxiv.org/abs/2412.19437, section 2.2).
///
/// For each token the layer reads two things, both normalised: the token's embedding, and the hidden state that the layers before
/// it computed for the previous token. It gives the logits of the following token. Its own hidden states can replace those of the
/// other layers, so that it can go on by itself. If a file has several prediction layers, the first one predicts all tokens.
struct PredictionLayer: LayerPart {
  /// Its index among the model's layers.
  let index: Int
  /// The layer's own embedding matrix, or the model's.
  let embedding: Matrix
  let embeddingNorm: Norm
  let hiddenNorm: Norm
  /// The projection from the embedding followed by the hidden state to the residual.
  let input: Matrix
  let outputNorm: Norm
  let output: Matrix
  /// Whether hidden states are read after the last norm, as the output matrix reads them, instead of as the residual.
  let readsNormalised: Bool

  /// - Parameters:
  ///   - embedding: The model's embedding matrix, for a layer that has none.
  ///   - output: The model's output matrix, for a layer that has none.
  init(
    _ model: ModelConfiguration, embedding: Matrix, output: Matrix, _ binder: inout WeightBinder
  ) throws(ModelError) {
    index = model.layerCount
    readsNormalised = model.architecture.predictionInput == .normalised
    let (name, length, vocabulary) = ("blk.\(index).nextn.", model.embeddingLength, embedding.rows)
    input = try binder.matrix("\(name)eh_proj", columns: 2 * length, rows: length)
    embeddingNorm = try Norm(always: "\(name)enorm.weight", model, &binder)
    hiddenNorm = try Norm(always: "\(name)hnorm.weight", model, &binder)
    let norms = ["\(name)shared_head_norm.weight", "blk.\(index).layer_output_norm.weight"]
    outputNorm = try Norm(
      always: norms.first { binder.shape($0) != nil } ?? "\(model.architecture.outputNormName).weight", model, &binder)
    self.embedding = try binder.find("\(name)embed_tokens", columns: length, rows: vocabulary) ?? embedding
    self.output = try binder.find("\(name)shared_head_head", columns: length, rows: vocabulary) ?? output
    guard !input.bias.isPresent else { throw .unusedTensor(name: "\(name)eh_proj.bias") }
  }

  var readsQuants: Bool { output.readsQuants }
  var readsFloats: Bool { output.readsFloats }
  var outputBias: Vector { .none }
  var longestRow: Int { output.columns }

  func takeRoom(_ room: inout TeamRoom, _ sizes: PassSizes) { _ = inputs(&room, sizes) }

  /// Takes room for embeddings followed by previous hidden states, [token][2 · embedding].
  @inline(__always)
  func inputs(_ room: inout TeamRoom, _ sizes: PassSizes) -> Columns { room.parts.columns(sizes.batch, length: input.columns) }
}

extension PassThread {
  /// Makes the prediction layer read the step's tokens, after the last layer and its logits, so that it can go on from them.
  ///
  /// Only its cache is needed for that, so its network does not run.
  func follow(_ prediction: PredictionLayer) {
    enter(prediction, keeping: pass.outputNorm)
    runMixer(pass.layers + prediction.index, prediction.index)
  }

  /// Runs only the prediction layer, from tokens at the end of their sequences to the logits of what follows.
  func predict(_ prediction: PredictionLayer) {
    enter(prediction, keeping: nil)
    run(pass.layers + prediction.index, prediction.index)
    for token in part(of: step.count) { keepHidden(token, prediction, prediction.outputNorm) }
    computeLogits(prediction.outputNorm, prediction.output)
  }

  /// Replaces the residual by the prediction layer's input.
  ///
  /// - Parameter norm: The last norm of the layers that the step's tokens have gone through, if their hidden states are to be kept;
  ///   nil: they have gone through none.
  private func enter(_ prediction: PredictionLayer, keeping norm: Norm?) {
    var room = room
    let (columns, length) = (prediction.inputs(&room, pass.sizes), pass.sizes.embedding)
    // The token before a thread's first token may belong to another thread.
    if !keepsResidual { worker.teamBarrier() }
    for token in part(of: step.count) {
      let (column, row) = (columns[token], own.column[..<length])
      embed(token, prediction.embedding, into: row)
      normalize(row, prediction.embeddingNorm, into: column[..<length])
      if let hidden = hidden(before: token, prediction, norm) {
        normalize(hidden, prediction.hiddenNorm, into: column[length...])
      } else {
        column[length...].fill(0)
      }
      if prediction.input.readsQuants { columns.quantize(kernels, column, column: token) }
    }
    worker.barrier()
    if let norm { for token in part(of: step.count) where isKept(token) { keepHidden(token, prediction, norm) } }
    projectOutput(prediction.input, columns)
    for token in tokens { residual[token].copy(buffers.projected[token]) }
  }

  /// Returns the hidden state of the token before one of the step's tokens; nil if it is not known.
  private func hidden(before token: Int, _ prediction: PredictionLayer, _ norm: Norm?) -> Row? {
    let run = step.run(of: token)
    guard token > run.begin else {
      return run.hasHidden ? hidden(run.sequence, position: Int(step.positions[token]) - 1) : nil
    }
    guard let norm else { return nil }
    guard prediction.readsNormalised else { return residual[token - 1] }
    let row = own.column[..<pass.sizes.embedding]
    normalize(residual[token - 1], norm, into: row)
    return row
  }

  /// Returns the row for the hidden state of a sequence's token at `position`.
  @inline(__always)
  private func hidden(_ sequence: Int, position: Int) -> Row {
    buffers.hidden[sequence * PassSizes.hiddenRows + position % PassSizes.hiddenRows]
  }

  /// Whether a token is among the last ones of its run, whose hidden states there is room for.
  private func isKept(_ token: Int) -> Bool {
    let run = step.run(of: token)
    return token >= run.begin + run.count - PassSizes.hiddenRows
  }

  /// Keeps the hidden state of a token.
  private func keepHidden(_ token: Int, _ prediction: PredictionLayer, _ norm: Norm) {
    let row = hidden(step.sequence(of: token), position: Int(step.positions[token]))
    if prediction.readsNormalised { normalize(residual[token], norm, into: row) } else { row.copy(residual[token]) }
  }
}
