// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackRuntime

/// Kimi Delta Attention (https://arxiv.org/abs/2510.26692): a delta net in which every head has its own keys, and each element of a
/// key decays at its own rate.
struct KimiDeltaNet: RecurrentMixer {
  let configuration: Configuration
  let query: Matrix
  let key: Matrix
  let value: Matrix
  /// The projections from the residual to a short vector, and from it to how much each element of each head's keys forgets.
  let forget: (first: Matrix, second: Matrix)
  /// The projection to how much each head corrects.
  let correct: Matrix
  let gate: Gate
  /// The weights of the convolution of queries, keys and values, [tap][channel].
  let convolution: Vector
  /// For each head, the factor of its forgetting, and for each element, what is added to it before.
  let decay: Vector
  let decayBias: Vector
  /// The norm of each head's output.
  let norm: Vector
  let output: Matrix
  /// The form in which a thread publishes the output of a head.
  let outputForm: ActivationForm

  /// The projections whose logistic function multiplies each head's output, element by element.
  enum Gate {
    case direct(Matrix)
    /// By way of a short vector.
    case compressed(Matrix, expand: Matrix)

    /// The product that reads the residual.
    var first: Matrix {
      switch self {
      case .direct(let matrix), .compressed(let matrix, _): matrix
      }
    }

    var second: Matrix? {
      switch self {
      case .direct: nil
      case .compressed(_, let expand): expand
      }
    }
  }

  /// The sizes of Kimi Delta Attention, from the metadata.
  struct Configuration: Sendable, Equatable {
    /// The sizes; each head is its own group.
    let sizes: RecurrentSizes
    /// The lower bound of the logarithm of a state's decay factor; nil: there is none.
    let leastDecay: Float?

    init(_ reader: MetadataReader, layer: Int) throws(ModelError) {
      guard let count = try reader.size("attention.head_count", layer: layer), count > 0 else {
        throw .missingKey(key: reader.key("attention.head_count"))
      }
      sizes = try RecurrentSizes(reader, headCount: count, length: reader.requiredSize("kda.head_dim"))
      leastDecay = try reader.number("kda.gate_lower_bound")
    }
  }

  init(
    _ configuration: Configuration, _ model: ModelConfiguration, _ prefix: String, _ binder: inout WeightBinder
  ) throws(ModelError) {
    let (sizes, length) = (configuration.sizes, model.embeddingLength)
    self.configuration = configuration
    func direct(_ name: String, rows: Int, columns: Int = length, _ binder: inout WeightBinder) throws(ModelError) -> Matrix {
      let matrix = try binder.matrix("\(prefix)\(name)", columns: columns, rows: rows)
      guard !matrix.bias.isPresent else { throw .unusedTensor(name: "\(prefix)\(name).bias") }
      return matrix
    }
    query = try direct("attn_q", rows: sizes.keysLength, &binder)
    key = try direct("attn_k", rows: sizes.keysLength, &binder)
    value = try direct("attn_v", rows: sizes.valuesLength, &binder)
    let rank = binder.shape("\(prefix)ssm_f_a.weight")?.rows ?? sizes.keyLength
    forget = (
      try direct("ssm_f_a", rows: rank, &binder), try direct("ssm_f_b", rows: sizes.keysLength, columns: rank, &binder)
    )
    correct = try direct("ssm_beta", rows: sizes.headCount, &binder)
    if binder.shape("\(prefix)ssm_g.weight") != nil {
      gate = .direct(try direct("ssm_g", rows: sizes.valuesLength, &binder))
    } else {
      let rank = binder.shape("\(prefix)ssm_g_a.weight")?.rows ?? sizes.keyLength
      gate = .compressed(
        try direct("ssm_g_a", rows: rank, &binder),
        expand: try direct("ssm_g_b", rows: sizes.valuesLength, columns: rank, &binder))
    }
    convolution = try binder.transposed(
      ["q", "k", "v"].map { "\(prefix)ssm_conv1d_\($0).weight" }, columns: sizes.taps, rows: sizes.keysLength)
    decay = try binder.vector("\(prefix)ssm_a", count: sizes.headCount)
    decayBias = try binder.vector("\(prefix)ssm_dt.bias", count: sizes.keysLength)
    norm = try binder.vector("\(prefix)ssm_norm.weight", count: sizes.valueLength)
    output = try binder.matrix("\(prefix)attn_output", columns: sizes.valuesLength, rows: length)
    outputForm = ActivationForm(partsOf: sizes.valueLength, for: output)
  }

  var sizes: RecurrentSizes { configuration.sizes }
  /// The products that read the residual.
  private var inputs: [Matrix] { [query, key, value, forget.first, correct, gate.first] }

  var readsQuants: Bool { inputs.contains(where: \.readsQuants) }
  var readsFloats: Bool { inputs.contains(where: \.readsFloats) }
  var longestRow: Int { sizes.channelCount }

  func takeRoom(_ room: inout TeamRoom, _ sizes: PassSizes) { _ = Buffers(&room, self, sizes) }

  /// What a team's threads share from one barrier to the next.
  struct Buffers {
    /// Queries, keys and values, [token][channel]. The outputs of the team's heads replace their values.
    let channels: Rows
    /// [token][head]
    let correct: Rows
    /// The short vectors [token][rank].
    let forgetRank: Columns
    let gateRank: Columns
    /// The decay factor of each element of a key, [token][head][key length].
    let decays: Rows
    /// [token][head][value length]
    let gates: Rows
    /// The output, [token][head][value length].
    let attended: Columns

    @inline(__always)
    init(_ room: inout TeamRoom, _ net: KimiDeltaNet, _ pass: PassSizes) {
      channels = room.parts.rows(pass.batch, length: net.sizes.channelCount)
      correct = room.parts.rows(pass.batch, length: net.sizes.headCount)
      forgetRank = room.parts.columns(pass.batch, length: net.forget.first.rows)
      gateRank = room.parts.columns(pass.batch, length: net.gate.second == nil ? 0 : net.gate.first.rows)
      decays = room.parts.rows(pass.batch, length: net.sizes.keysLength)
      gates = room.parts.rows(pass.batch, length: net.sizes.valuesLength)
      attended = room.parts.columns(pass.batch, length: net.sizes.valuesLength, keepsPlain: net.outputForm.plain)
    }
  }
}
