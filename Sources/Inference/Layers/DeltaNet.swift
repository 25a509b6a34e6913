// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackRuntime

/// Linear attention by the gated delta rule (https://arxiv.org/abs/2412.06464), as in Qwen3-Next and Qwen 3.5.
///
/// Each value head keeps a matrix that maps keys to values. A token makes the matrix decay a little, corrects its output for the
/// token's key towards the token's value, and reads it with the token's query. The inputs come from a short causal convolution. The
/// state has the same size for sequences of any length, and cannot be cut back.
struct DeltaNet: RecurrentMixer {
  let configuration: Configuration
  /// The projection from the residual to the channels: queries and keys of all key heads, then values of all value heads.
  let channels: Matrix
  /// The projection to the gate: each head's output is multiplied by its SiLU.
  let gate: Matrix
  let strengths: Strengths
  /// [tap][channel]
  let convolution: Vector
  /// For each value head, the factor of softplus, and what is added to its argument.
  let decay: Vector
  let decayBias: Vector
  /// The norm of each head's output.
  let norm: Vector
  let output: Matrix
  /// The form in which a thread publishes the output of a head.
  let outputForm: ActivationForm

  /// The projections to how much each value head corrects and forgets.
  enum Strengths {
    case apart(correct: Matrix, forget: Matrix)
    /// One matrix: for each key head the rows of its value heads for correcting, then those for forgetting.
    case together(Matrix)

    var first: Matrix {
      switch self {
      case .apart(let correct, _): correct
      case .together(let both): both
      }
    }

    var second: Matrix? {
      switch self {
      case .apart(_, let forget): forget
      case .together: nil
      }
    }
  }

  /// Which key head a value head uses.
  enum HeadOrder: Sendable, Equatable {
    /// Value head j uses key head j mod keys.
    case tiled
    /// Neighbouring value heads share a key head.
    case grouped
  }

  /// The sizes of a delta net, from the metadata.
  struct Configuration: Sendable, Equatable {
    /// The sizes; heads are value heads, groups are key heads.
    let sizes: RecurrentSizes
    let order: HeadOrder

    init(_ reader: MetadataReader, order: HeadOrder) throws(ModelError) {
      sizes = try RecurrentSizes(reader, leastTaps: 1)
      self.order = order
    }

    /// Returns the key head that a value head uses.
    @inline(__always)
    func keyHead(of head: Int) -> Int {
      switch order {
      case .tiled: head % sizes.groupCount
      case .grouped: head / (sizes.headCount / sizes.groupCount)
      }
    }
  }

  init(
    _ configuration: Configuration, _ model: ModelConfiguration, _ prefix: String, _ binder: inout WeightBinder
  ) throws(ModelError) {
    let (sizes, length) = (configuration.sizes, model.embeddingLength)
    self.configuration = configuration
    guard binder.shape("\(prefix)ssm_in.weight") == nil else {
      throw .oldForm(
        name: "\(prefix)ssm_in.weight", advice: "convert the model with a converter that writes attn_qkv and attn_gate (since 2026)"
      )
    }
    channels = try binder.matrix("\(prefix)attn_qkv", columns: length, rows: sizes.channelCount)
    gate = try binder.matrix("\(prefix)attn_gate", columns: length, rows: sizes.valuesLength)
    let count = sizes.headCount
    if let both = try binder.find("\(prefix)ssm_ba", columns: length, rows: 2 * count) {
      strengths = .together(both)
    } else {
      strengths = .apart(
        correct: try binder.matrix("\(prefix)ssm_beta", columns: length, rows: count),
        forget: try binder.matrix("\(prefix)ssm_alpha", columns: length, rows: count))
    }
    convolution = try binder.transposed("\(prefix)ssm_conv1d.weight", columns: sizes.taps, rows: sizes.channelCount)
    decay = try binder.vector("\(prefix)ssm_a", count: count)
    decayBias = try binder.vector("\(prefix)ssm_dt.bias", count: count)
    norm = try binder.vector("\(prefix)ssm_norm.weight", count: sizes.valueLength)
    output = try binder.matrix("\(prefix)ssm_out", columns: sizes.valuesLength, rows: length)
    outputForm = ActivationForm(partsOf: sizes.valueLength, for: output)
    let names = ["attn_qkv", "attn_gate", "ssm_beta", "ssm_alpha", "ssm_ba"]
    let biases = [channels.bias, gate.bias, strengths.first.bias, strengths.second?.bias ?? .none]
    guard !biases.contains(where: \.isPresent) else {
      let name = names.map { "\(prefix)\($0).bias" }.first { binder.shape($0) != nil }
      throw .unusedTensor(name: name ?? "\(prefix)attn_qkv.bias")
    }
  }

  var sizes: RecurrentSizes { configuration.sizes }
  private var inputs: [Matrix] { [channels, gate, strengths.first] + (strengths.second.map { [$0] } ?? []) }

  var readsQuants: Bool { inputs.contains(where: \.readsQuants) }
  var readsFloats: Bool { inputs.contains(where: \.readsFloats) }
  var longestRow: Int { max(sizes.channelCount, sizes.valuesLength) }

  func takeRoom(_ room: inout TeamRoom, _ sizes: PassSizes) { _ = Buffers(&room, self, sizes) }

  /// What a team's threads share from one barrier to the next.
  struct Buffers {
    /// The channels, [token][channel]. The outputs of the team's heads replace their values.
    let channels: Rows
    /// [token][value head][value length]
    let gates: Rows
    let correct: Rows
    let forget: Rows
    /// The output, [token][value head][value length].
    let attended: Columns

    @inline(__always)
    init(_ room: inout TeamRoom, _ net: DeltaNet, _ pass: PassSizes) {
      channels = room.parts.rows(pass.batch, length: net.sizes.channelCount)
      gates = room.parts.rows(pass.batch, length: net.sizes.valuesLength)
      correct = room.parts.rows(pass.batch, length: net.strengths.first.rows)
      forget = room.parts.rows(pass.batch, length: net.strengths.second?.rows ?? 0)
      attended = room.parts.columns(pass.batch, length: net.sizes.valuesLength, keepsPlain: net.outputForm.plain)
    }
  }
}
