// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackRuntime

/// A state space layer as in Mamba 2 (https://arxiv.org/abs/2405.21060).
///
/// Each head keeps a matrix. A token makes the matrix decay a little, adds the product of a key and the head's value to it, and
/// reads it with a query. Key and query are common to a group of heads.
struct Mamba: RecurrentMixer {
  /// The sizes; heads of a group share a key and a query.
  let sizes: RecurrentSizes
  /// The projection to gates, values, keys, queries and steps.
  let input: Matrix
  /// The weights of the convolution of values, keys and queries, [tap][channel].
  let convolution: Vector
  let convolutionBias: Vector
  /// For each head: the rate of its decay, what is added to its step, and how much of the value is added to the output.
  let decay: Vector
  let stepBias: Vector
  let skip: Vector
  /// The norm of each group's outputs.
  let norm: Vector
  let output: Matrix
  /// The form in which a thread publishes the output of a head: plain, because norms of groups follow.
  static let outputForm = ActivationForm(quantised: false, plain: true)

  init(
    _ sizes: RecurrentSizes, _ model: ModelConfiguration, _ prefix: String, _ binder: inout WeightBinder
  ) throws(ModelError) {
    let length = model.embeddingLength
    self.sizes = sizes
    // Gates, channels, steps.
    let inputLength = sizes.valuesLength + sizes.channelCount + sizes.headCount
    input = try binder.matrix("\(prefix)ssm_in", columns: length, rows: inputLength)
    guard !input.bias.isPresent else { throw .unusedTensor(name: "\(prefix)ssm_in.bias") }
    convolution = try binder.transposed("\(prefix)ssm_conv1d.weight", columns: sizes.taps, rows: sizes.channelCount)
    convolutionBias = try binder.vector("\(prefix)ssm_conv1d.bias", count: sizes.channelCount, isRequired: false)
    decay = try binder.vector("\(prefix)ssm_a", count: sizes.headCount)
    stepBias = try binder.vector("\(prefix)ssm_dt.bias", count: sizes.headCount)
    skip = try binder.vector("\(prefix)ssm_d", count: sizes.headCount)
    norm = try binder.vector("\(prefix)ssm_norm.weight", count: sizes.valuesLength)
    output = try binder.matrix("\(prefix)ssm_out", columns: sizes.valuesLength, rows: length)
  }

  var readsQuants: Bool { input.readsQuants }
  var readsFloats: Bool { input.readsFloats }
  var longestRow: Int { sizes.valuesLength }
  var stateColumns: Int { sizes.valueLength }

  func takeRoom(_ room: inout TeamRoom, _ sizes: PassSizes) { _ = Buffers(&room, self, sizes) }

  /// What a team's threads share from one barrier to the next.
  struct Buffers {
    /// Gates, values, keys, queries and steps, [token][row].
    let inputs: Rows
    /// The output, [token][head][value length].
    let mixed: Columns

    @inline(__always)
    init(_ room: inout TeamRoom, _ mixer: Mamba, _ pass: PassSizes) {
      inputs = room.parts.rows(pass.batch, length: mixer.input.rows)
      mixed = room.parts.columns(pass.batch, length: mixer.sizes.valuesLength)
    }
  }
}
