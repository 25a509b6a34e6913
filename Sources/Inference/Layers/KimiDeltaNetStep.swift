// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels
import Glibc
import PackRuntime

/// Kimi Delta Attention of one layer on one thread, from the normalised residual to the output in `projected`.
///
/// Tokens of a sequence go through the recurrence one after another, so that no result depends on how they came in steps.
struct KimiDeltaNetStep {
  private let thread: PassThread
  private let net: KimiDeltaNet
  private let buffers: KimiDeltaNet.Buffers
  private let states: RecurrentStates

  private var sizes: RecurrentSizes { net.sizes }

  @inline(__always)
  init(_ thread: PassThread, _ net: KimiDeltaNet, layer: Int) {
    self.thread = thread
    self.net = net
    var room = thread.room
    buffers = KimiDeltaNet.Buffers(&room, net, thread.pass.sizes)
    var arena = thread.state(ofLayer: layer)
    states = net.states(&arena, thread.pass.state, team: thread.worker.team, teamCount: thread.worker.teamCount)
  }

  func run() {
    project()
    thread.worker.barrier(after: .projections)
    convolve()
    if net.forget.second.readsQuants { thread.quantizeShared(buffers.forgetRank, count: thread.step.count) }
    if net.gate.second?.readsQuants ?? false { thread.quantizeShared(buffers.gateRank, count: thread.step.count) }
    expand()
    thread.worker.barrier()
    findDecays()
    thread.worker.teamBarrier()
    recur()
    thread.worker.teamBarrier()
    finish()
    thread.worker.barrier(after: .attention)
    if net.output.readsQuants, !net.outputForm.quantised { thread.quantizeShared(buffers.attended, count: thread.step.count) }
    thread.projectOutput(net.output, buffers.attended)
  }

  /// What reads the residual, on every team.
  private func project() {
    let (team, input) = (thread.worker.team, thread.normed)
    guard let forgetRank = buffers.forgetRank.plain, let gateRank = buffers.gateRank.plain else { return }
    let gates = net.gate.second == nil ? buffers.gates : gateRank
    let query = net.query.unitCount(team: team)
    let key = query + net.key.unitCount(team: team)
    let value = key + net.value.unitCount(team: team)
    let forget = value + net.forget.first.unitCount(team: team)
    let correct = forget + net.correct.unitCount(team: team)
    thread.worker.forEachPart(of: correct + net.gate.first.unitCount(team: team), .projections) { part in
      thread.project(net.query, first: 0, part, input, into: buffers.channels)
      thread.project(net.key, first: query, part, input, into: buffers.channels, from: sizes.keysLength)
      thread.project(net.value, first: key, part, input, into: buffers.channels, from: 2 * sizes.keysLength)
      thread.project(net.forget.first, first: value, part, input, into: forgetRank)
      thread.project(net.correct, first: forget, part, input, into: buffers.correct)
      thread.project(net.gate.first, first: correct, part, input, into: gates)
    }
  }

  /// The convolution of the team's heads: their queries, keys and values.
  private func convolve() {
    let (kernels, count, length) = (thread.kernels, states.heads.count, sizes.keyLength)
    for unit in thread.part(of: 3 * count) {
      let (kind, head) = (unit / count, states.heads.lowerBound + unit % count)
      let first = kind * sizes.keysLength + head * length
      // Queries and keys have length 1, and the query's products are divided by the square root of the number of elements.
      let scale = kind == 0 ? 1 / Float(length) : 1 / Float(length).squareRoot()
      thread.convolve(first..<first + length, of: buffers.channels, states.inputs, weights: net.convolution) { _, row in
        kernels.multiply(row, byLogisticOf: row, into: row)
        guard kind < 2 else { return }
        kernels.normalize(row, weights: nil, epsilon: thread.pass.normEpsilon / Float(length), into: row)
        kernels.scale(row, by: scale)
      }
    }
  }

  /// What reads the short vectors, on every team.
  private func expand() {
    let team = thread.worker.team
    let first = net.forget.second.unitCount(team: team)
    let part = thread.part(of: first + (net.gate.second?.unitCount(team: team) ?? 0))
    thread.project(net.forget.second, first: 0, part, buffers.forgetRank, into: buffers.decays)
    if let gate = net.gate.second { thread.project(gate, first: first, part, buffers.gateRank, into: buffers.gates) }
  }

  /// What stays of each element of the team's heads' states, in double precision and rounded once.
  private func findDecays() {
    guard let rates = thread.vector(net.decay), let biases = thread.vector(net.decayBias) else { return }
    let count = states.heads.count
    for item in thread.part(of: thread.step.count * count) {
      let (token, head) = (item / count, states.heads.lowerBound + item % count)
      let (row, rate) = (buffers.decays[token], Double(rates[head]))
      for index in head * sizes.keyLength..<(head + 1) * sizes.keyLength {
        let raw = Double(row[index] + biases[index])
        let logarithm = net.configuration.leastDecay.map { Double($0) / (1 + exp(rate * raw)) } ?? rate * softplus(raw)
        row[index] = Float(exp(logarithm))
      }
    }
  }

  /// Where a head's values stand among the channels.
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
    let values = channels.start + values(of: head).lowerBound + tile * net.configuration.tileLength
    var call = ck_recurrence()
    call.state = state.start
    (call.key_dim, call.value_dim) = (Int64(sizes.keyLength), Int64(net.configuration.tileLength))
    call.query = UnsafePointer(channels.start + head * sizes.keyLength)
    call.key = UnsafePointer(channels.start + sizes.keysLength + head * sizes.keyLength)
    call.value = UnsafePointer(values)
    call.decays = UnsafePointer(buffers.decays[token].start + head * sizes.keyLength)
    (call.beta, call.corrects) = (logistic(buffers.correct[token][head]), 1)
    call.output = values
    thread.kernels.recur(&call)
  }

  /// Normalises and gates the outputs of the team's heads and hands them to every team.
  private func finish() {
    let (kernels, count) = (thread.kernels, states.heads.count)
    for item in thread.part(of: thread.step.count * count) {
      let (token, head) = (item / count, states.heads.lowerBound + item % count)
      let output = buffers.channels[token][values(of: head)]
      kernels.normalize(output, weights: thread.vector(net.norm), epsilon: thread.pass.normEpsilon, into: output)
      let gate = buffers.gates[token][head * sizes.valueLength..<(head + 1) * sizes.valueLength]
      kernels.multiply(output, byLogisticOf: gate, into: output)
      thread.publish(output, as: net.outputForm, to: buffers.attended, column: token, from: head * sizes.valueLength)
    }
  }
}
