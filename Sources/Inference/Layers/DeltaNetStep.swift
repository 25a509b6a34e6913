// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc
import PackRuntime

/// A delta net of one layer on one thread, from the normalised residual to the output in `projected`.
struct DeltaNetStep {
  private let thread: PassThread
  private let net: DeltaNet
  private let buffers: DeltaNet.Buffers
  private let rule: DeltaRule

  private var sizes: RecurrentSizes { net.sizes }

  @inline(__always)
  init(_ thread: PassThread, _ net: DeltaNet, layer: Int) {
    self.thread = thread
    self.net = net
    var room = thread.room
    buffers = DeltaNet.Buffers(&room, net, thread.pass.sizes)
    rule = DeltaRule(thread, net, channels: buffers.channels, layer: layer)
  }

  func run() {
    project()
    thread.worker.barrier(after: .projections)
    convolve()
    thread.worker.teamBarrier()
    rule.recur(group: net.configuration.keyHead) { call, token, head in (call.decay, call.beta) = strengths(token, head: head) }
    thread.worker.teamBarrier()
    finish()
    thread.worker.barrier(after: .attention)
    thread.projectOutput(net.output, buffers.attended, handedOnAs: net.outputForm)
  }

  /// Computes channels, gates and strengths of the step's tokens, for every team.
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

  /// Applies the convolution head by head: to all queries and keys, and to the values of the team's heads.
  private func convolve() {
    let (shared, heads) = (2 * sizes.groupCount, rule.states.heads)
    for unit in thread.part(of: shared + heads.count) {
      if unit < shared {
        rule.convolveKey(unit, weights: net.convolution)
      } else {
        rule.convolveValues(of: heads.lowerBound + unit - shared, weights: net.convolution)
      }
    }
  }

  /// Returns the factor of a head's state, in double precision and rounded once, and the weight of the correction towards the
  /// token's value.
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
    rule.normalize(net.norm) { token, elements, output in
      let gate = buffers.gates[token][elements]
      thread.kernels.activate(.swiGLU, gate: gate, up: output)
      thread.publish(gate, as: net.outputForm, to: buffers.attended, column: token, from: elements.lowerBound)
    }
  }
}
