// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackRuntime

/// What stands around the layer that predicts the token after the next one (multi-token prediction, DeepSeek V3,
/// https://arxiv.org/abs/2412.19437, section 2.2).
///
/// The layer reads the embedding of a token beside what the layers before it made of the token in front of that one, both normalised,
/// and gives logits of what follows. What it makes of a token stands in for what those layers would, so that it can go on by itself;
/// of several prediction layers in a file, the first predicts all tokens.
struct PredictionLayer: LayerPart {
  /// Its number among the model's layers.
  let index: Int
  /// The model's, or the layer's own.
  let embedding: Matrix
  let embeddingNorm: Norm
  let hiddenNorm: Norm
  /// From both, one after the other, to the residual.
  let input: Matrix
  let outputNorm: Norm
  let output: Matrix
  /// Whether what became of a token is read as the output matrix reads it, and not as the residual.
  let readsNormalised: Bool

  /// - Parameters:
  ///   - embedding: The model's, for a layer without its own.
  ///   - output: The same.
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

  /// Embeddings beside what became of the tokens in front [token][2 · embedding].
  @inline(__always)
  func inputs(_ room: inout TeamRoom, _ sizes: PassSizes) -> Columns { room.parts.columns(sizes.batch, length: input.columns) }
}

extension PassThread {
  /// After the step's last layer and its logits: has the prediction layer read the step's tokens, so that it can go on from them.
  ///
  /// Its cache is all that is needed of them, so its network does not run.
  func follow(_ prediction: PredictionLayer) {
    enter(prediction, keeping: pass.outputNorm)
    runMixer(pass.layers + prediction.index, prediction.index)
  }

  /// Runs the prediction layer alone, from tokens that follow their sequences to logits of what comes after them.
  func predict(_ prediction: PredictionLayer) {
    enter(prediction, keeping: nil)
    run(pass.layers + prediction.index, prediction.index)
    for token in part(of: step.count) { keepHidden(token, prediction, prediction.outputNorm) }
    computeLogits(prediction.outputNorm, prediction.output)
  }

  /// Makes the prediction layer's input the residual.
  ///
  /// - Parameter norm: The last one of the layers that the step's tokens came through, where it is to be kept what they became; nil: they
  ///   have come through none.
  private func enter(_ prediction: PredictionLayer, keeping norm: Norm?) {
    var room = room
    let (columns, length) = (prediction.inputs(&room, pass.sizes), pass.sizes.embedding)
    // Of the first of a thread's tokens, the one in front is another thread's.
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

  /// What became of the token in front of one of the step's; nil where it is not known.
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

  /// Where it is kept what became of a token.
  @inline(__always)
  private func hidden(_ sequence: Int, position: Int) -> Row {
    buffers.hidden[sequence * PassSizes.hiddenRows + position % PassSizes.hiddenRows]
  }

  /// Whether a token is among the last ones of its run that there is room for.
  private func isKept(_ token: Int) -> Bool {
    let run = step.run(of: token)
    return token >= run.begin + run.count - PassSizes.hiddenRows
  }

  /// Keeps what became of a token.
  private func keepHidden(_ token: Int, _ prediction: PredictionLayer, _ norm: Norm) {
    let row = hidden(step.sequence(of: token), position: Int(step.positions[token]))
    if prediction.readsNormalised { normalize(residual[token], norm, into: row) } else { row.copy(residual[token]) }
  }
}
