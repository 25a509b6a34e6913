// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels
import PackRuntime

extension ForwardPass {
  /// The dense network after its norm, up to its output in `projected`.
  func feedForward(_ network: GatedWeights, _ worker: Worker) {
    gateAndUp(network, normed(worker), worker)
    worker.barrier(after: .hidden)
    finishHidden(network, worker)
    projectOutput(network.down, hidden(network, worker.team), worker)
  }

  @inline(__always)
  func hidden(_ network: GatedWeights, _ team: Int) -> Columns {
    var columns = teams[team].feedForward.hidden
    columns.stride = network.gate.rows
    return columns
  }

  /// Whoever reads the activations quantises them, unless whoever computed them has.
  func finishHidden(_ network: GatedWeights, _ worker: Worker) {
    guard network.down.readsQuants, !network.publishesQuants else { return }
    quantizeShared(hidden(network, worker.team), count: step.count, length: network.gate.rows, worker)
  }

  /// Gate, up and the activation, in tiles of rows; the barrier that follows is the caller's.
  func gateAndUp(_ network: GatedWeights, _ input: Columns, _ worker: Worker) {
    worker.forEachPart(of: network.gate.unitCount(team: worker.team, rows: 32), .hidden, most: BufferSizes.tileRows / 32) { part in
      network.gate.forEachTile(team: worker.team, unit: 32, share: part) { rows in
        tile(network, expert: 0, rows: rows, input, count: step.count, map: nil, worker)
        for token in 0..<step.count {
          publishHidden(network, tileColumn: token, rows: rows, column: token, worker) { $0.pointee.feedForward.hidden }
        }
      }
    }
  }

  /// activation(gate, up) of some rows for `count` columns, left in the thread's `gate` [column][row of the tile].
  @inline(__always)
  func tile(
    _ network: GatedWeights, expert: Int, rows: Range<Int>, _ input: Columns, count: Int, map: UnsafePointer<Int32>?,
    _ worker: Worker
  ) {
    let own = threads[worker.thread]
    let stride = BufferSizes.tileRows
    let matrices = (network.gate, network.up)
    matrices.0.multiply(
      team: worker.team, expert: expert, begin: rows.lowerBound, end: rows.upperBound, input, count: count, map: map,
      output: own.gate - rows.lowerBound, stride: stride)
    matrices.1.multiply(
      team: worker.team, expert: expert, begin: rows.lowerBound, end: rows.upperBound, input, count: count, map: map,
      output: own.up - rows.lowerBound, stride: stride)
    let gateBias = vector(network.gate.bias, worker).map { $0 + expert * network.gate.rows + rows.lowerBound }
    let upBias = vector(network.up.bias, worker).map { $0 + expert * network.up.rows + rows.lowerBound }
    for column in 0..<count {
      let (gate, up) = (own.gate + column * stride, own.up + column * stride)
      if let gateBias { kernels.pointee.add(gate, gateBias, Int64(rows.count), gate) }
      if let upBias { kernels.pointee.add(up, upBias, Int64(rows.count), up) }
      activate(gate, up, count: rows.count)
    }
  }

  @inline(__always)
  private func activate(_ gate: UnsafeMutablePointer<Float>, _ up: UnsafeMutablePointer<Float>, count: Int) {
    switch configuration.activation {
    case .swiGLU: kernels.pointee.silu_multiply(gate, up, Int64(count), gate)
    case .geGLU: kernels.pointee.gelu_multiply(gate, up, Int64(count), gate)
    case .clampedSwiGLU: kernels.pointee.swiglu_clamped(gate, up, 1.702, 7, Int64(count), gate)
    }
  }

  /// Hands a tile's column to every team, as column `column` of `target`.
  @inline(__always)
  func publishHidden(
    _ network: GatedWeights, tileColumn: Int, rows: Range<Int>, column: Int, _ worker: Worker,
    _ target: (UnsafePointer<TeamBuffers>) -> Columns
  ) {
    let source = threads[worker.thread].gate + tileColumn * BufferSizes.tileRows
    let quantizes = network.publishesQuants
    var own = target(teams + worker.team)
    own.stride = network.gate.rows
    if quantizes { own.quantize(kernels, source, column: column, begin: rows.lowerBound, count: rows.count) }
    for team in 0..<teamCount {
      var columns = target(teams + team)
      columns.stride = network.gate.rows
      if network.publishesFloats {
        columns.floats(column, from: rows.lowerBound).update(from: source, count: rows.count)
      }
      if quantizes, team != worker.team {
        columns.copyQuants(from: own, column: column, begin: rows.lowerBound, count: rows.count)
      }
    }
    let elements = quantizes ? Columns.quantizedByteCount(rows.count) : 0
    let floats = network.publishesFloats ? rows.count * 4 : 0
    countCrossing((elements + floats) * (teamCount - 1), worker)
  }
}
