// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels
import Glibc
import PackRuntime

/// A state space layer on one thread, from the normalised residual to the output in `projected`.
struct MambaStep {
  private let thread: PassThread
  private let mixer: Mamba
  private let buffers: Mamba.Buffers
  private let states: RecurrentStates

  private var sizes: RecurrentSizes { mixer.sizes }

  @inline(__always)
  init(_ thread: PassThread, _ mixer: Mamba, layer: Int) {
    self.thread = thread
    self.mixer = mixer
    var room = thread.room
    buffers = Mamba.Buffers(&room, mixer, thread.pass.sizes)
    var arena = thread.state(ofLayer: layer)
    states = mixer.states(&arena, thread.pass.state, team: thread.worker.team, teamCount: thread.worker.teamCount)
  }

  func run() {
    let worker = thread.worker
    worker.forEachPart(of: mixer.input.unitCount(team: worker.team), .projections) { part in
      thread.project(mixer.input, first: 0, part, thread.normed, into: buffers.inputs)
    }
    worker.barrier(after: .projections)
    convolve()
    worker.teamBarrier()
    for index in thread.part(of: states.heads.count) { recur(head: states.heads.lowerBound + index) }
    worker.barrier(after: .attention)
    normalize()
    worker.teamBarrier()
    thread.projectOutput(mixer.output, buffers.mixed, handedOnAs: Mamba.outputForm)
  }

  /// Applies the convolution to the values of the team's heads, and to all keys and queries.
  private func convolve() {
    let own = states.heads.count
    for unit in thread.part(of: own + 2 * sizes.groupCount) {
      let channels: Range<Int>
      if unit < own {
        let first = (states.heads.lowerBound + unit) * sizes.valueLength
        channels = first..<first + sizes.valueLength
      } else {
        let first = sizes.valuesLength + (unit - own) * sizes.keyLength
        channels = first..<first + sizes.keyLength
      }
      thread.convolve(
        channels, of: buffers.inputs, from: sizes.valuesLength, states.inputs, weights: mixer.convolution,
        bias: mixer.convolutionBias
      ) { _, row in thread.kernels.multiply(row, byLogisticOf: row, into: row) }
    }
  }

  /// Runs the recurrence of one head, and hands its outputs to every team.
  private func recur(head: Int) {
    thread.forEachToken(states, head: head) { recur($0, head: head, $1) }
  }

  private func recur(_ token: Int, head: Int, _ state: Row) {
    let row = buffers.inputs[token]
    let gate = row[head * sizes.valueLength..<(head + 1) * sizes.valueLength]
    let channels = row[sizes.valuesLength..<sizes.valuesLength + sizes.channelCount]
    let value = channels[head * sizes.valueLength..<(head + 1) * sizes.valueLength]
    let key = sizes.valuesLength + head / (sizes.headCount / sizes.groupCount) * sizes.keyLength
    let output = thread.own.column[..<sizes.valueLength]
    let step = step(row[sizes.valuesLength + sizes.channelCount + head], head: head)
    var call = ck_recurrence()
    call.state = state.start
    (call.key_dim, call.value_dim) = (Int64(sizes.keyLength), Int64(sizes.valueLength))
    call.key = UnsafePointer(channels.start + key)
    call.query = UnsafePointer(channels.start + key + sizes.keysLength)
    call.value = UnsafePointer(value.start)
    (call.decay, call.beta) = (step.decay, step.length)
    call.output = output.start
    thread.kernels.recur(&call)
    if let skip = thread.vector(mixer.skip) { thread.kernels.add(value, times: skip[head], to: output) }
    thread.kernels.activate(.swiGLU, gate: gate, up: output)
    thread.publish(
      gate, as: Mamba.outputForm, to: buffers.mixed, column: token, from: head * sizes.valueLength)
  }

  /// Returns how much of a head's state stays, and how much of the token's value is added to it.
  ///
  /// Both are computed in double precision and rounded once: the same floats with every mathematics library.
  private func step(_ raw: Float, head: Int) -> (decay: Float, length: Float) {
    let length = Float(softplus(Double(raw + (thread.vector(mixer.stepBias)?[head] ?? 0))))
    let rate = thread.vector(mixer.decay).map { Double($0[head]) } ?? 0
    return (Float(exp(rate * Double(length))), length)
  }

  /// Normalises each group's outputs; each team does so for itself.
  private func normalize() {
    guard let norm = thread.vector(mixer.norm) else { return }
    let length = sizes.valuesLength / sizes.groupCount
    for item in thread.part(of: thread.step.count * sizes.groupCount) {
      let (token, group) = (item / sizes.groupCount, item % sizes.groupCount)
      let elements = group * length..<(group + 1) * length
      let row = buffers.mixed[token][elements]
      thread.kernels.normalize(row, weights: norm[elements], epsilon: thread.pass.normEpsilon, into: row)
    }
  }
}
