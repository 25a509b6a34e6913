// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels
import Glibc
import PackRuntime

/// Kimi Delta Attention of one layer on one thread, from the normalised residual to the output in `projected`.
struct KimiDeltaNetStep {
  private let thread: PassThread
  private let net: KimiDeltaNet
  private let buffers: KimiDeltaNet.Buffers
  private let rule: DeltaRule

  private var sizes: RecurrentSizes { net.sizes }

  @inline(__always)
  init(_ thread: PassThread, _ net: KimiDeltaNet, layer: Int) {
    self.thread = thread
    self.net = net
    var room = thread.room
    buffers = KimiDeltaNet.Buffers(&room, net, thread.pass.sizes)
    rule = DeltaRule(thread, net, channels: buffers.channels, layer: layer)
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
    rule.recur(group: { $0 }) { call, token, head in
      call.decays = UnsafePointer(buffers.decays[token].start + head * sizes.keyLength)
      call.beta = logistic(buffers.correct[token][head])
    }
    thread.worker.teamBarrier()
    finish()
    thread.worker.barrier(after: .attention)
    thread.projectOutput(net.output, buffers.attended, handedOnAs: net.outputForm)
  }

  /// Computes everything that reads the residual, for every team.
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

  /// Applies the convolution to the queries, keys and values of the team's heads.
  private func convolve() {
    let heads = rule.states.heads
    for unit in thread.part(of: 3 * heads.count) {
      let (kind, head) = (unit / heads.count, heads.lowerBound + unit % heads.count)
      if kind < 2 {
        rule.convolveKey(kind * sizes.groupCount + head, weights: net.convolution)
      } else {
        rule.convolveValues(of: head, weights: net.convolution)
      }
    }
  }

  /// Computes everything that reads the short vectors, for every team.
  private func expand() {
    let team = thread.worker.team
    let first = net.forget.second.unitCount(team: team)
    let part = thread.part(of: first + (net.gate.second?.unitCount(team: team) ?? 0))
    thread.project(net.forget.second, first: 0, part, buffers.forgetRank, into: buffers.decays)
    if let gate = net.gate.second { thread.project(gate, first: first, part, buffers.gateRank, into: buffers.gates) }
  }

  /// Computes the decay factors of the team's heads, in double precision and rounded once.
  private func findDecays() {
    guard let rates = thread.vector(net.decay), let biases = thread.vector(net.decayBias) else { return }
    let heads = rule.states.heads
    for item in thread.part(of: thread.step.count * heads.count) {
      let (token, head) = (item / heads.count, heads.lowerBound + item % heads.count)
      let (row, rate) = (buffers.decays[token], Double(rates[head]))
      for index in head * sizes.keyLength..<(head + 1) * sizes.keyLength {
        let raw = Double(row[index] + biases[index])
        let logarithm = net.configuration.leastDecay.map { Double($0) / (1 + exp(rate * raw)) } ?? rate * softplus(raw)
        row[index] = Float(exp(logarithm))
      }
    }
  }

  /// Normalises and gates the outputs of the team's heads and hands them to every team.
  private func finish() {
    rule.normalize(net.norm) { token, elements, output in
      thread.kernels.multiply(output, byLogisticOf: buffers.gates[token][elements], into: output)
      thread.publish(output, as: net.outputForm, to: buffers.attended, column: token, from: elements.lowerBound)
    }
  }
}
