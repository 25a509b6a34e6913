// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc
import PackRuntime

/// One thread of one step, with its own memory and the memory that it shares with its team.
///
/// The team that holds a row of weights computes it, each row by one thread; heads belong to the team that keeps their keys and
/// values. What another team reads next is published: the thread that computed it copies it to that team's node. Threads meet at
/// barriers. A dense layer of a small step has six (after q, k, v; rotation; attention; output; gate and up; down). In a step too
/// large for every thread to compute all norms itself, each norm adds one.
///
/// Results do not depend on how the work is divided: each element is computed by one thread, in one order.
struct PassThread {
  let pass: Pass
  let worker: Worker
  /// The buffers of this thread.
  let own: ThreadBuffers
  /// The buffers of its team.
  let buffers: TeamBuffers
  /// What this thread has for itself within a part.
  var scratch: Arena
  /// What the team's threads share within a part.
  let room: TeamRoom
  private let vectors: UnsafeMutablePointer<Float>

  @inline(__always)
  init(_ pass: Pass, _ worker: Worker) {
    self.pass = pass
    self.worker = worker
    let team = pass.teams[worker.team]
    var arena = Arena(base: pass.threads[worker.thread])
    own = ThreadBuffers(&arena, pass.sizes)
    scratch = arena.rest
    arena = Arena(base: team)
    buffers = TeamBuffers(&arena, pass.sizes)
    room = TeamRoom(parts: Arena(base: team + pass.partsOffset), output: Arena(base: team + pass.outputOffset))
    vectors = pass.vectors[worker.team]
  }

  @inline(__always)
  var kernels: Kernels { pass.kernels }

  @inline(__always)
  var step: Step { pass.step }

  /// Whether every thread keeps the residual of all tokens for itself.
  @inline(__always)
  var keepsResidual: Bool { step.count <= PassSizes.tokensPerThread }

  /// Returns this thread's part of `total` items, which the team divides equally.
  @inline(__always)
  func part(of total: Int) -> Range<Int> {
    total * worker.index / worker.teamSize..<total * (worker.index + 1) / worker.teamSize
  }

  /// The tokens whose residual this thread keeps.
  @inline(__always)
  var tokens: Range<Int> { keepsResidual ? 0..<step.count : part(of: step.count) }

  @inline(__always)
  var residual: Rows { keepsResidual ? own.residual : buffers.residual }

  @inline(__always)
  var residuals: Rows { keepsResidual ? own.residuals : buffers.residuals }

  @inline(__always)
  var connections: Rows { keepsResidual ? own.connections : buffers.connections }

  @inline(__always)
  var normed: Columns { keepsResidual ? own.normed : buffers.normed }

  /// Returns the team's copy of a vector; nil if the model has none.
  @inline(__always)
  func vector(_ vector: Vector) -> Row? { vector.isPresent ? Row(vectors + vector.offset, count: vector.count) : nil }

  /// Returns the arena of what the team keeps for one layer.
  @inline(__always)
  func state(ofLayer layer: Int) -> Arena { Arena(base: pass.states[worker.team * pass.layerCount + layer]) }

  /// Runs the whole step on this thread. All threads of all teams must call it together.
  func run() {
    computeRotaryAngles()
    if step.predicts, let prediction = pass.prediction { return predict(prediction) }
    embed()
    makeLayerInputs()
    for index in 0..<pass.trunkCount { run(pass.layers + index, index) }
    if step.wantsHidden {
      copyHidden()
    } else {
      computeLogits(pass.outputNorm, pass.output, pass.outputMixture, pass.outputConnection)
    }
    if let prediction = pass.prediction { follow(prediction) }
  }

  /// Looks up the embeddings of this thread's tokens.
  private func embed() {
    for token in tokens {
      let row = residual[token][..<pass.sizes.embedding]
      // If all threads of a team read the same row, it counts as one transfer.
      embed(token, pass.embedding, counting: !keepsResidual || worker.index == 0, into: row)
      // All residual streams start with the same values.
      for stream in 1..<pass.sizes.streamCount { residual[token][stream * row.count..<(stream + 1) * row.count].copy(row) }
    }
  }

  /// Looks up a token's row of `embedding`.
  ///
  /// - Parameter counting: Whether bytes from another node are counted.
  @inline(__always)
  func embed(_ token: Int, _ embedding: Matrix, counting: Bool = true, into row: Row) {
    let crossed = embedding.dequantize(row: Int(step.tokens[token]), nearestTo: worker.team, kernels, into: row)
    if counting { countCrossing(crossed) }
    if pass.embeddingScale != 1 { kernels.scale(row, by: pass.embeddingScale) }
  }

  /// Computes cosines and sines of the step's positions. They are visible to the team after the barrier that follows the first
  /// products.
  private func computeRotaryAngles() {
    for index in 0..<pass.sizes.rotaryCount {
      let rotation = pass.rotations[index]
      for item in part(of: step.count * rotation.pairs) {
        let (token, pair) = (item / rotation.pairs, item % rotation.pairs)
        let row = index * pass.sizes.batch + token
        (buffers.cosines[row][pair], buffers.sines[row][pair]) = rotation.angle(at: step.positions[token], pair: pair)
      }
    }
  }

  /// Rotates the leading elements of a head by the angles of a token's position.
  ///
  /// - Parameter pairing: Which elements form pairs; nil: as in the rotary embedding.
  @inline(__always)
  func rotate(_ head: Row, _ rotary: Int, token: Int, _ pairing: RotaryPairing? = nil) {
    let (rotation, row) = (pass.rotations[rotary], rotary * pass.sizes.batch + token)
    kernels.rotate(
      head, pairing ?? rotation.pairing, cosines: buffers.cosines[row][..<rotation.pairs],
      sines: buffers.sines[row][..<rotation.pairs])
  }

  /// Rotates a head by the angles of any position.
  ///
  /// - Parameter angles: Room for two rows, each as long as the number of pairs.
  @inline(__always)
  func rotate(_ head: Row, _ rotary: Int, position: Int32, _ angles: Rows) {
    let rotation = pass.rotations[rotary]
    let (cosines, sines) = (angles[0][..<rotation.pairs], angles[1][..<rotation.pairs])
    for pair in 0..<rotation.pairs { (cosines[pair], sines[pair]) = rotation.angle(at: position, pair: pair) }
    kernels.rotate(head, rotation.pairing, cosines: cosines, sines: sines)
  }

  /// Undoes the rotation of a head by the angles of a token's position.
  ///
  /// - Parameter scratch: Room for as many elements as there are pairs.
  @inline(__always)
  func rotateBack(_ head: Row, _ rotary: Int, token: Int, _ scratch: Row) {
    let (rotation, row) = (pass.rotations[rotary], rotary * pass.sizes.batch + token)
    let (sines, negative) = (buffers.sines[row], scratch[..<rotation.pairs])
    for pair in 0..<rotation.pairs { negative[pair] = -sines[pair] }
    kernels.rotate(head, rotation.pairing, cosines: buffers.cosines[row][..<rotation.pairs], sines: negative)
  }

  /// Adds a part's output (with its bias, normalised if the model does so, and scaled) to this thread's residual.
  ///
  /// - Parameter connection: How the output joins several residual streams; nil: there is one stream.
  func addToResidual(_ bias: Vector, _ norm: Vector, _ connection: HyperConnection? = nil, scale: Float = 1) {
    let scratch = own.column[..<pass.sizes.embedding]
    for token in tokens {
      var source = buffers.projected[token]
      if let bias = vector(bias) {
        kernels.add(source, bias, into: scratch)
        source = scratch
      }
      if let norm = vector(norm) {
        kernels.normalize(source, weights: norm, epsilon: pass.normEpsilon, into: scratch)
        source = scratch
      }
      if connection != nil {
        join(source, scale: scale, token: token)
      } else if scale == 1 {
        kernels.add(residual[token], source, into: residual[token])
      } else {
        kernels.add(source, times: scale, to: residual[token])
      }
    }
  }

  /// Normalises this thread's residual for the next products. If the team's threads share the residual, it ends with a barrier.
  ///
  /// - Parameters:
  ///   - mixture: The mixture of residuals that is read instead of the residual; nil: the residual is read.
  ///   - connection: How several residual streams are read; nil: there is one stream.
  func normalize(
    _ norm: Norm, _ mixture: ResidualAttention? = nil, _ connection: HyperConnection? = nil, quantizing: Bool,
    inTwoParts: Bool = false
  ) {
    if let connection { connect(connection) }
    for token in tokens {
      let out = normalized(token, norm, mixture, combining: connection != nil, column: token)
      if quantizing, inTwoParts {
        normed.quantizeInTwoParts(kernels, out, column: token, second: step.count + token, scratch: own.column2)
      } else if quantizing {
        normed.quantize(kernels, out, column: token)
      }
    }
    if !keepsResidual { worker.teamBarrier() }
  }

  /// Returns a token's normalised residual, in its column or, if only quants are kept, in this thread's row, where the next call
  /// overwrites it.
  @inline(__always)
  private func normalized(_ token: Int, _ norm: Norm, _ mixture: ResidualAttention?, combining: Bool, column: Int) -> Row {
    let source = if let mixture { mix(token, mixture) } else { combining ? combine(token) : residual[token] }
    let out = pass.sizes.keepsNormed ? normed[column] : own.column[..<pass.sizes.embedding]
    normalize(source, norm, into: out)
    return out
  }

  /// Normalises `source` into `out` with one of the model's norms.
  @inline(__always)
  func normalize(_ source: Row, _ norm: Norm, into out: Row) {
    switch norm {
    case .none: out.copy(source)
    case .meanSquare(let weights):
      kernels.normalize(source, weights: vector(weights), epsilon: pass.normEpsilon, into: out)
    case .variance(let weights):
      kernels.center(source, into: out)
      kernels.normalize(out, weights: vector(weights), epsilon: pass.normEpsilon, into: out)
    }
  }

  /// Copies the final norm of all positions to where the caller reads it. Every team has all positions; the first team copies them.
  private func copyHidden() {
    if let connection = pass.outputConnection { connect(connection) }
    guard worker.team == 0, !keepsResidual || worker.index == 0 else { return }
    for token in tokens {
      let out = normalized(token, pass.outputNorm, pass.outputMixture, combining: pass.outputConnection != nil, column: token)
      pass.hidden[token].copy(out)
    }
  }

  /// Computes the final norm and the logits of the wanted positions.
  ///
  /// - Parameters:
  ///   - mixture: The mixture of residuals that the norm reads; nil: it reads the residual.
  ///   - connection: How the norm reads several residual streams; nil: there is one stream.
  func computeLogits(
    _ norm: Norm, _ output: Matrix, _ mixture: ResidualAttention? = nil, _ connection: HyperConnection? = nil
  ) {
    guard step.wantedCount > 0 else { return }
    if let connection { connect(connection) }
    for index in 0..<step.wantedCount where tokens.contains(Int(step.wanted[index])) {
      let out = normalized(Int(step.wanted[index]), norm, mixture, combining: connection != nil, column: index)
      if output.readsQuants { normed.quantize(kernels, out, column: index) }
    }
    if !keepsResidual { worker.teamBarrier() }
    worker.forEachPart(of: output.unitCount(team: worker.team), .logits) { part in
      output.forEachRun(team: worker.team, part: part) { rows in
        output.multiply(rows, team: worker.team, normed, count: step.wantedCount, into: pass.logits)
        finishLogits(rows, output.bias)
        // The caller reads the logits on the first team's node.
        if worker.team > 0 { countCrossing(rows.count * step.wantedCount * 4) }
      }
    }
    worker.barrier(after: .logits)
  }

  /// Adds the output's bias, and scales and limits logits where the model does.
  private func finishLogits(_ rows: Range<Int>, _ bias: Vector) {
    let (scale, cap, bias) = (pass.logitScale, pass.logitSoftcap, vector(bias[rows]))
    guard scale != 1 || cap != 0 || bias != nil else { return }
    for index in 0..<step.wantedCount {
      let row = pass.logits[index][rows]
      if let bias { kernels.add(row, bias, into: row) }
      if scale != 1 { kernels.scale(row, by: scale) }
      guard cap != 0 else { continue }
      for at in 0..<row.count { row[at] = cap * Float(tanh(Double(row[at] / cap))) }
    }
  }
}
