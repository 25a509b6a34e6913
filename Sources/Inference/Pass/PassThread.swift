// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc
import PackRuntime

/// One thread of one step, with what it has for itself and what it shares with its team.
///
/// Rows of each product are computed by the team that holds them, whole, by one thread; heads by the team that keeps their keys
/// and values. What another team reads next is published: copied to its node by the thread that computed it. Threads meet at
/// barriers: six in a dense layer of a small step (after q, k, v; rotation; attention; output; gate and up; down), and one more for
/// each norm of a step too large for every thread to compute all norms itself.
///
/// No result depends on how the work is divided: every element is computed in one order by one thread.
struct PassThread {
  let pass: Pass
  let worker: Worker
  /// This thread's own.
  let own: ThreadBuffers
  /// Its team's.
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

  /// This thread's part of `total` things that the team divides equally.
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

  /// The team's copy of a vector, or nil where the model has none.
  @inline(__always)
  func vector(_ vector: Vector) -> Row? { vector.isPresent ? Row(vectors + vector.offset, count: vector.count) : nil }

  /// Where what the team keeps for one layer begins.
  @inline(__always)
  func state(ofLayer layer: Int) -> Arena { Arena(base: pass.states[worker.team * pass.layerCount + layer]) }

  /// Runs the whole step on this thread; all threads of all teams call it together.
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

  /// Looks up the rows of this thread's tokens.
  private func embed() {
    for token in tokens {
      let row = residual[token][..<pass.sizes.embedding]
      // Where all threads of a team read the same row, it comes once.
      embed(token, pass.embedding, counting: !keepsResidual || worker.index == 0, into: row)
      // All residual streams begin alike.
      for stream in 1..<pass.sizes.streamCount { residual[token][stream * row.count..<(stream + 1) * row.count].copy(row) }
    }
  }

  /// Looks up a token's row of `embedding`.
  ///
  /// - Parameter counting: Whether bytes that come from another node count.
  @inline(__always)
  func embed(_ token: Int, _ embedding: Matrix, counting: Bool = true, into row: Row) {
    let crossed = embedding.dequantize(row: Int(step.tokens[token]), nearestTo: worker.team, kernels, into: row)
    if counting { countCrossing(crossed) }
    if pass.embeddingScale != 1 { kernels.scale(row, by: pass.embeddingScale) }
  }

  /// Cosines and sines of this step's positions; the barrier after the first products makes them visible to the team.
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

  /// Turns the leading elements of a head by the angles of a token's position.
  ///
  /// - Parameter pairing: Of the elements; nil: as the rotary embedding has it.
  @inline(__always)
  func rotate(_ head: Row, _ rotary: Int, token: Int, _ pairing: RotaryPairing? = nil) {
    let (rotation, row) = (pass.rotations[rotary], rotary * pass.sizes.batch + token)
    kernels.rotate(
      head, pairing ?? rotation.pairing, cosines: buffers.cosines[row][..<rotation.pairs],
      sines: buffers.sines[row][..<rotation.pairs])
  }

  /// The same by the angles of any position.
  ///
  /// - Parameter angles: Room for two rows, of as many elements as there are pairs.
  @inline(__always)
  func rotate(_ head: Row, _ rotary: Int, position: Int32, _ angles: Rows) {
    let rotation = pass.rotations[rotary]
    let (cosines, sines) = (angles[0][..<rotation.pairs], angles[1][..<rotation.pairs])
    for pair in 0..<rotation.pairs { (cosines[pair], sines[pair]) = rotation.angle(at: position, pair: pair) }
    kernels.rotate(head, rotation.pairing, cosines: cosines, sines: sines)
  }

  /// Turns what a token's rotation has turned back.
  ///
  /// - Parameter scratch: Room for as many elements as there are pairs.
  @inline(__always)
  func rotateBack(_ head: Row, _ rotary: Int, token: Int, _ scratch: Row) {
    let (rotation, row) = (pass.rotations[rotary], rotary * pass.sizes.batch + token)
    let (sines, negative) = (buffers.sines[row], scratch[..<rotation.pairs])
    for pair in 0..<rotation.pairs { negative[pair] = -sines[pair] }
    kernels.rotate(head, rotation.pairing, cosines: buffers.cosines[row][..<rotation.pairs], sines: negative)
  }

  /// Adds a part's output (with its bias, normalised where the model does so, and scaled) to this thread's residual.
  ///
  /// - Parameter connection: How the output joins several residual streams; nil: there is one.
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

  /// Normalises this thread's residual for the next products, and waits for the team's other threads where they share it.
  ///
  /// - Parameters:
  ///   - mixture: What is read instead of the residual; nil: nothing.
  ///   - connection: How several residual streams are read; nil: there is one.
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

  /// A token's residual, normalised: in its column, or where columns are kept quantised only, in this thread's own until the next.
  @inline(__always)
  private func normalized(_ token: Int, _ norm: Norm, _ mixture: ResidualAttention?, combining: Bool, column: Int) -> Row {
    let source = if let mixture { mix(token, mixture) } else { combining ? combine(token) : residual[token] }
    let out = pass.sizes.keepsNormed ? normed[column] : own.column[..<pass.sizes.embedding]
    normalize(source, norm, into: out)
    return out
  }

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

  /// The final norm of all positions: each team has all of them, and the caller reads the first team's.
  private func copyHidden() {
    if let connection = pass.outputConnection { connect(connection) }
    guard worker.team == 0, !keepsResidual || worker.index == 0 else { return }
    for token in tokens {
      let out = normalized(token, pass.outputNorm, pass.outputMixture, combining: pass.outputConnection != nil, column: token)
      pass.hidden[token].copy(out)
    }
  }

  /// The final norm and the output head, for the wanted positions.
  ///
  /// - Parameters:
  ///   - mixture: What the norm reads instead of the residual; nil: nothing.
  ///   - connection: How it reads several residual streams; nil: there is one.
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

  /// Adds the output's bias, and scales and bends logits where the model does.
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
