// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels
import Glibc
import PackRuntime

/// A delta net of one layer on one thread, from the normalised residual to the output in `projected`.
///
/// Tokens of a sequence go through the recurrence one after another, so that no result depends on how they came in steps.
struct DeltaNetStep {
  private let thread: PassThread
  private let net: DeltaNet
  private let buffers: DeltaNet.Buffers
  private let states: RecurrentStates

  private var sizes: RecurrentSizes { net.sizes }

  @inline(__always)
  init(_ thread: PassThread, _ net: DeltaNet, layer: Int) {
    self.thread = thread
    self.net = net
    var room = thread.room
    buffers = DeltaNet.Buffers(&room, net, thread.pass.sizes)
    var arena = thread.state(ofLayer: layer)
    states = net.states(&arena, thread.pass.state, team: thread.worker.team, teamCount: thread.worker.teamCount)
  }

  func run() {
    project()
    thread.worker.barrier(after: .projections)
    convolve()
    thread.worker.teamBarrier()
    recur()
    thread.worker.teamBarrier()
    finish()
    thread.worker.barrier(after: .attention)
    if net.output.readsQuants, !net.outputForm.quantised { thread.quantizeShared(buffers.attended, count: thread.step.count) }
    thread.projectOutput(net.output, buffers.attended)
  }

  /// Channels, gates and strengths of the step's tokens, on every team.
  private func project() {
    let (team, input) = (thread.worker.team, thread.normed)
    let first = net.channels.unitCount(team: team)
    let second = first + net.gate.unitCount(team: team)
    let third = second + net.strengths.first.unitCount(team: team)
    let all = third + (net.strengths.second?.unitCount(team: team) ?? 0)
    thread.worker.forEachPart(of: all, .projections) { part in
      thread.project(net.channels, first: 0, part, input, into: buffers.channels)
      thread.project(net.gate, first: first, part, input, into: buffers.gates)
      thread.project(net.strengths.first, first: second, part, input, into: buffers.correct)
      if let forget = net.strengths.second { thread.project(forget, first: third, part, input, into: buffers.forget) }
    }
  }

  /// The convolution, head by head: all queries and keys, and the values of the team's heads.
  private func convolve() {
    let shared = 2 * sizes.groupCount
    for unit in thread.part(of: shared + states.heads.count) {
      if unit < shared {
        let isQuery = unit < sizes.groupCount
        let channels = unit * sizes.keyLength..<(unit + 1) * sizes.keyLength
        // Both have length 1, and the query's products are divided by the square root of the number of elements.
        let length = Float(sizes.keyLength)
        convolve(channels, scale: isQuery ? 1 / length : 1 / length.squareRoot())
      } else {
        let head = states.heads.lowerBound + unit - shared
        convolve(values(of: head), scale: nil)
      }
    }
  }

  private func convolve(_ channels: Range<Int>, scale: Float?) {
    let kernels = thread.kernels
    thread.convolve(channels, of: buffers.channels, states.inputs, weights: net.convolution) { _, row in
      kernels.multiply(row, byLogisticOf: row, into: row)
      guard let scale else { return }
      kernels.normalize(row, weights: nil, epsilon: thread.pass.normEpsilon / Float(sizes.keyLength), into: row)
      kernels.scale(row, by: scale)
    }
  }

  /// Where a value head's values stand among the channels.
  @inline(__always)
  private func values(of head: Int) -> Range<Int> {
    let first = 2 * sizes.keysLength + head * sizes.valueLength
    return first..<first + sizes.valueLength
  }

  /// The recurrence of the team's heads, in tiles of columns of their states.
  private func recur() {
    for unit in thread.part(of: states.heads.count * states.tileCount) {
      let (head, tile) = (states.heads.lowerBound + unit / states.tileCount, unit % states.tileCount)
      thread.forEachToken(states, head: head, tile: tile) { recur($0, head: head, tile: tile, $1) }
    }
  }

  private func recur(_ token: Int, head: Int, tile: Int, _ state: Row) {
    let channels = buffers.channels[token]
    let key = net.configuration.keyHead(of: head) * sizes.keyLength
    let values = channels.start + values(of: head).lowerBound + tile * net.configuration.tileLength
    var call = ck_recurrence()
    call.state = state.start
    (call.key_dim, call.value_dim) = (Int64(sizes.keyLength), Int64(net.configuration.tileLength))
    call.query = UnsafePointer(channels.start + key)
    call.key = UnsafePointer(channels.start + sizes.keysLength + key)
    call.value = UnsafePointer(values)
    (call.decay, call.beta) = strengths(token, head: head)
    call.corrects = 1
    call.output = values
    thread.kernels.recur(&call)
  }

  /// What a head's state is multiplied by, in double precision and rounded once, and how much of the difference to the token's value
  /// it takes.
  private func strengths(_ token: Int, head: Int) -> (decay: Float, correct: Float) {
    var (correct, forget): (Float, Float)
    switch net.strengths {
    case .apart: (correct, forget) = (buffers.correct[token][head], buffers.forget[token][head])
    case .together:
      let group = sizes.headCount / sizes.groupCount
      let first = head / group * 2 * group + head % group
      (correct, forget) = (buffers.correct[token][first], buffers.correct[token][first + group])
    }
    if let bias = thread.vector(net.decayBias) { forget += bias[head] }
    let rate = thread.vector(net.decay).map { Double($0[head]) } ?? 0
    return (Float(exp(rate * softplus(Double(forget)))), logistic(correct))
  }

  /// Normalises and gates the outputs of the team's heads and hands them to every team.
  private func finish() {
    let (kernels, count) = (thread.kernels, states.heads.count)
    for item in thread.part(of: thread.step.count * count) {
      let (token, head) = (item / count, states.heads.lowerBound + item % count)
      let output = buffers.channels[token][values(of: head)]
      kernels.normalize(output, weights: thread.vector(net.norm), epsilon: thread.pass.normEpsilon, into: output)
      let gate = buffers.gates[token][head * sizes.valueLength..<(head + 1) * sizes.valueLength]
      kernels.activate(.swiGLU, gate: gate, up: output)
      thread.publish(gate, as: net.outputForm, to: buffers.attended, column: token, from: head * sizes.valueLength)
    }
  }
}
