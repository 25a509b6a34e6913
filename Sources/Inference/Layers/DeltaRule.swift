// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels
import PackRuntime

/// The part that all delta nets have in common, of one layer on one thread.
///
/// The channels are queries, keys and values, in this order. They go through a convolution and a recurrence; its outputs replace
/// the values and are normalised. The tokens of a sequence go through the recurrence one after another, so results do not depend on
/// how tokens are divided into steps.
struct DeltaRule {
  let thread: PassThread
  let sizes: RecurrentSizes
  let states: RecurrentStates
  /// The number of columns of a head's state that are stored together.
  let columns: Int
  /// [token][channel]
  let channels: Rows

  @inline(__always)
  init(_ thread: PassThread, _ net: some RecurrentMixer, channels: Rows, layer: Int) {
    self.thread = thread
    self.channels = channels
    (sizes, columns) = (net.sizes, net.stateColumns)
    var arena = thread.state(ofLayer: layer)
    states = net.states(&arena, thread.pass.state, team: thread.worker.team, teamCount: thread.worker.teamCount)
  }

  /// Returns the channels of a head's values.
  @inline(__always)
  func values(of head: Int) -> Range<Int> {
    let first = 2 * sizes.keysLength + head * sizes.valueLength
    return first..<first + sizes.valueLength
  }

  /// Applies the convolution to the queries or the keys of one group of heads.
  ///
  /// - Parameter group: The number of the group; groups of keys follow those of queries.
  @inline(__always)
  func convolveKey(_ group: Int, weights: Vector) {
    let (kernels, length) = (thread.kernels, Float(sizes.keyLength))
    // Queries and keys are scaled to length 1; queries are also divided by the square root of their number of elements.
    let scale = group < sizes.groupCount ? 1 / length : 1 / length.squareRoot()
    let own = group * sizes.keyLength..<(group + 1) * sizes.keyLength
    thread.convolve(own, of: channels, states.inputs, weights: weights) { _, row in
      kernels.multiply(row, byLogisticOf: row, into: row)
      kernels.normalize(row, weights: nil, epsilon: thread.pass.normEpsilon / length, into: row)
      kernels.scale(row, by: scale)
    }
  }

  /// Applies the convolution to one head's values.
  @inline(__always)
  func convolveValues(of head: Int, weights: Vector) {
    let kernels = thread.kernels
    thread.convolve(values(of: head), of: channels, states.inputs, weights: weights) { _, row in
      kernels.multiply(row, byLogisticOf: row, into: row)
    }
  }

  /// Runs the recurrence of the team's heads, in tiles of columns of their states.
  ///
  /// - Parameters:
  ///   - group: Returns the group of keys and queries that a head uses.
  ///   - set: Sets how much a token makes the state forget and correct.
  @inline(__always)
  func recur(group: (_ head: Int) -> Int, _ set: (_ call: inout ck_recurrence, _ token: Int, _ head: Int) -> Void) {
    for unit in thread.part(of: states.heads.count * states.tileCount) {
      let (head, tile) = (states.heads.lowerBound + unit / states.tileCount, unit % states.tileCount)
      let key = group(head) * sizes.keyLength
      thread.forEachToken(states, head: head, tile: tile) { token, state in
        let row = channels[token].start
        let values = row + values(of: head).lowerBound + tile * columns
        var call = ck_recurrence()
        call.state = state.start
        (call.key_dim, call.value_dim) = (Int64(sizes.keyLength), Int64(columns))
        call.query = UnsafePointer(row + key)
        call.key = UnsafePointer(row + sizes.keysLength + key)
        call.value = UnsafePointer(values)
        call.corrects = 1
        call.output = values
        set(&call, token, head)
        thread.kernels.recur(&call)
      }
    }
  }

  /// Normalises the outputs of the team's heads; `finish` gates them and hands them on.
  @inline(__always)
  func normalize(_ norm: Vector, _ finish: (_ token: Int, _ elements: Range<Int>, _ output: Row) -> Void) {
    let count = states.heads.count
    for item in thread.part(of: thread.step.count * count) {
      let (token, head) = (item / count, states.heads.lowerBound + item % count)
      let output = channels[token][values(of: head)]
      thread.kernels.normalize(output, weights: thread.vector(norm), epsilon: thread.pass.normEpsilon, into: output)
      finish(token, head * sizes.valueLength..<(head + 1) * sizes.valueLength, output)
    }
  }
}
