// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels
import Glibc
import PackRuntime

/// One step through the model, as every thread of every team runs it at the same time.
///
/// Rows of each product are computed by the team that holds them, whole, by one thread; heads by the team that keeps their keys
/// and values. What another team reads next is copied to its node by whoever computed it ("published"). Threads meet at
/// barriers: six in a dense layer of a small step (after q, k, v; rotation; attention; output; gate and up; down), and one more for
/// each norm of a step too large for every thread to compute all norms itself.
///
/// No result depends on how the work is divided: every element is computed in one order by one thread.
///
/// - Invariant: plain data. What it points at belongs to the `Model`, which outlives the step.
struct ForwardPass {
  let kernels: UnsafePointer<ck_table>
  let configuration: PassConfiguration
  let layers: UnsafePointer<Layer>
  let embedding: Matrix
  let outputNorm: Vector
  let output: Matrix
  let teams: UnsafePointer<TeamBuffers>
  let teamCount: Int
  let threads: UnsafePointer<ThreadBuffers>
  /// Copies of all vectors, one for each team.
  let vectors: UnsafePointer<UnsafeMutablePointer<Float>>
  /// [team][layer]
  let caches: UnsafePointer<LayerCache>
  /// Angles at position 1, of all layers and of those with a window.
  let frequencies: UnsafePointer<Double>
  let windowFrequencies: UnsafePointer<Double>
  var step: Step
  /// [wanted][vocabulary]
  let logits: UnsafeMutablePointer<Float>
  let logitStride: Int

  /// Whether every thread keeps the residual for itself.
  @inline(__always)
  var isPrivate: Bool { step.count <= BufferSizes.privateTokens }

  /// Whether attention's products read activations of 16 bits: in models with experts, where a small error can choose another
  /// expert. They are two columns of 8 bits, the second n columns behind the first, whose products are added.
  @inline(__always)
  var isFine: Bool { configuration.experts != nil && configuration.latent == nil }

  /// The tokens whose residual this thread keeps.
  @inline(__always)
  func ownTokens(_ worker: Worker) -> Range<Int> {
    isPrivate ? 0..<step.count : share(step.count, worker.index, worker.teamSize)
  }

  /// Part `index` of `count` equal parts of `total` things.
  @inline(__always)
  func share(_ total: Int, _ index: Int, _ count: Int) -> Range<Int> {
    total * index / count..<total * (index + 1) / count
  }

  @inline(__always)
  func residual(_ worker: Worker) -> UnsafeMutablePointer<Float> {
    isPrivate ? threads[worker.thread].residual : teams[worker.team].residual
  }

  @inline(__always)
  func normed(_ worker: Worker) -> Columns {
    isPrivate ? threads[worker.thread].normed : teams[worker.team].normed
  }

  @inline(__always)
  func vector(_ vector: Vector, _ worker: Worker) -> UnsafeMutablePointer<Float>? {
    vector.isPresent ? vectors[worker.team] + vector.offset : nil
  }

  /// What `run` does, on one thread.
  func run(_ worker: Worker) {
    embed(worker)
    rotaryAngles(worker)
    for index in 0..<configuration.layerCount {
      let layer = layers[index]
      if layer.attention.latent != nil {
        attendLatent(layer, index, worker)
      } else {
        attend(layer, index, worker)
      }
      join(layer.attention.output.bias, layer.attentionPostNorm, worker)
      normalize(layer.feedForwardNorm, quantizing: layer.feedForward.readsQuants, worker)
      if layer.feedForward.experts != nil {
        mixture(layer, worker)
      } else if let dense = layer.feedForward.dense {
        feedForward(dense, worker)
      }
      join(layer.feedForward.dense?.down.bias ?? .none, layer.feedForwardPostNorm, worker)
    }
    computeLogits(worker)
  }

  /// Looks up the rows of this thread's tokens.
  private func embed(_ worker: Worker) {
    let length = configuration.embeddingLength
    for token in ownTokens(worker) {
      let row = residual(worker) + token * length
      let crossed = embedding.dequantize(row: Int(step.tokens[token]), nearestTo: worker.team, kernels, into: row)
      // Where all threads of a team read the same row, it comes once.
      if !isPrivate || worker.index == 0 { countCrossing(crossed, worker) }
      if configuration.embeddingScale != 1 {
        kernels.pointee.scale(row, configuration.embeddingScale, Int64(length), row)
      }
    }
  }

  /// Adds a block's output (with its bias, normalised where the model does so) to this thread's residual.
  func join(_ bias: Vector, _ norm: Vector, _ worker: Worker) {
    let length = configuration.embeddingLength
    let scratch = threads[worker.thread].column
    for token in ownTokens(worker) {
      var source = UnsafePointer(teams[worker.team].projected + token * length)
      if let bias = vector(bias, worker) {
        kernels.pointee.add(source, bias, Int64(length), scratch)
        source = UnsafePointer(scratch)
      }
      if let norm = vector(norm, worker) {
        kernels.pointee.rms_norm(source, norm, configuration.normEpsilon, Int64(length), scratch)
        source = UnsafePointer(scratch)
      }
      let row = residual(worker) + token * length
      kernels.pointee.add(row, source, Int64(length), row)
    }
  }

  /// Normalises this thread's residual for the next products, and waits for the team's other threads where they share it.
  func normalize(_ norm: Vector, quantizing: Bool, finely: Bool = false, _ worker: Worker) {
    let length = configuration.embeddingLength
    let columns = normed(worker)
    for token in ownTokens(worker) {
      let out = normalized(token, norm, columns, column: token, worker)
      if quantizing, finely {
        columns.quantizeFinely(
          kernels, out, column: token, rest: step.count + token, begin: 0, count: length,
          scratch: threads[worker.thread].column2)
      } else if quantizing {
        columns.quantize(kernels, out, column: token, begin: 0, count: length)
      }
    }
    if !isPrivate { worker.teamBarrier() }
  }

  /// A token's residual, normalised: in its column, or where columns are kept quantised only, in this thread's own until the next.
  @inline(__always)
  private func normalized(
    _ token: Int, _ norm: Vector, _ columns: Columns, column: Int, _ worker: Worker
  ) -> UnsafeMutablePointer<Float> {
    let length = configuration.embeddingLength
    let out = columns.x == nil ? threads[worker.thread].column : columns.floats(column)
    kernels.pointee.rms_norm(
      residual(worker) + token * length, vector(norm, worker), configuration.normEpsilon, Int64(length), out)
    return out
  }

  /// Notes bytes that this thread wrote for other teams.
  @inline(__always)
  func countCrossing(_ bytes: Int, _ worker: Worker) { threads[worker.thread].crossed.pointee += bytes }

  /// Copies rows of `count` columns that this thread wrote into its own team's buffer to the other teams'.
  @inline(__always)
  func publish(
    begin: Int, end: Int, count: Int, stride: Int, _ worker: Worker,
    _ buffer: (UnsafePointer<TeamBuffers>) -> UnsafeMutablePointer<Float>
  ) {
    guard teamCount > 1 else { return }
    let source = buffer(teams + worker.team)
    for team in 0..<teamCount where team != worker.team {
      let target = buffer(teams + team)
      for column in 0..<count {
        (target + column * stride + begin).update(from: source + column * stride + begin, count: end - begin)
      }
    }
    countCrossing((end - begin) * count * 4 * (teamCount - 1), worker)
  }

  /// Quantises `count` columns of `length` elements that the whole team reads, after a barrier; ends with a team barrier.
  func quantizeShared(_ columns: Columns, count: Int, length: Int, finely: Bool = false, _ worker: Worker) {
    guard length % 32 == 0 else { return }
    let blocks = length / 32
    let mine = share(count * blocks, worker.index, worker.teamSize)
    var at = mine.lowerBound
    while at < mine.upperBound {
      let (column, block) = (at / blocks, at % blocks)
      let run = min(mine.upperBound - at, blocks - block)
      let source = columns.floats(column, from: block * 32)
      if finely {
        columns.quantizeFinely(
          kernels, source, column: column, rest: count + column, begin: block * 32, count: run * 32,
          scratch: threads[worker.thread].column)
      } else {
        columns.quantize(kernels, source, column: column, begin: block * 32, count: run * 32)
      }
      at += run
    }
    worker.teamBarrier()
  }

  /// The final norm and the output head, for the wanted positions.
  private func computeLogits(_ worker: Worker) {
    guard step.wantedCount > 0 else { return }
    let length = configuration.embeddingLength
    let columns = normed(worker)
    let own = ownTokens(worker)
    for index in 0..<step.wantedCount where own.contains(Int(step.wanted[index])) {
      let out = normalized(Int(step.wanted[index]), outputNorm, columns, column: index, worker)
      if output.readsQuants { columns.quantize(kernels, out, column: index, begin: 0, count: length) }
    }
    if !isPrivate { worker.teamBarrier() }
    worker.forEachPart(of: output.unitCount(team: worker.team, rows: 16), .logits) { part in
      output.forEachRun(team: worker.team, unit: 16, share: part) { begin, end in
        output.multiply(
          team: worker.team, expert: 0, begin: begin, end: end, columns, count: step.wantedCount, output: logits,
          stride: logitStride)
        finish(rows: begin..<end, worker)
        // Who asked for the logits reads them on the first team's node.
        if worker.team > 0 { countCrossing((end - begin) * step.wantedCount * 4, worker) }
      }
    }
    worker.barrier(after: .logits)
  }

  /// Adds the output's bias and bends logits where the model does.
  private func finish(rows: Range<Int>, _ worker: Worker) {
    let cap = configuration.logitSoftcap
    let bias = vector(output.bias, worker)
    guard cap != 0 || bias != nil else { return }
    for index in 0..<step.wantedCount {
      let row = logits + index * logitStride
      if let bias { kernels.pointee.add(row + rows.lowerBound, bias + rows.lowerBound, Int64(rows.count), row + rows.lowerBound) }
      guard cap != 0 else { continue }
      for at in rows { row[at] = cap * Float(tanh(Double(row[at] / cap))) }
    }
  }
}

/// Numbers of a model that a step needs, as plain data.
struct PassConfiguration {
  var layerCount: Int
  var embeddingLength: Int
  var embeddingScale: Float
  var normEpsilon: Float
  var attentionScale: Float
  var logitSoftcap: Float
  var activation: Activation
  var pairing: RotaryPairing
  var rotaryDimensions: Int
  var rotaryMagnitude: Float
  var windowRotaryMagnitude: Float
  var latent: LatentConfiguration?
  var experts: ExpertConfiguration?
}
