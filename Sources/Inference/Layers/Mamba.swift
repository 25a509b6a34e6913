// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackRuntime

/// A state space layer as in Mamba 2 (https://arxiv.org/abs/2405.21060).
///
/// Each head keeps a matrix, which forgets a little with every token and adds the product of a key, common to a group of heads, and
/// the head's value. The query, common to the group, reads it.
struct Mamba: MixerPart {
  let sizes: Configuration
  /// To gates, values, keys, queries and steps.
  let input: Matrix
  /// [tap][channel] of values, keys and queries.
  let convolution: Vector
  let convolutionBias: Vector
  /// For each head, what its step is multiplied by, what is added to it, and how much of the value joins the output.
  let decay: Vector
  let stepBias: Vector
  let skip: Vector
  /// Of each group's outputs.
  let norm: Vector
  let output: Matrix

  /// What the metadata says.
  struct Configuration: Sendable, Equatable {
    let headCount: Int
    /// Elements of a head's value.
    let valueLength: Int
    /// Elements of a key.
    let keyLength: Int
    let groupCount: Int
    /// Tokens that the convolution sees, the token's own included.
    let taps: Int

    var valuesLength: Int { headCount * valueLength }
    var keysLength: Int { groupCount * keyLength }
    var channelCount: Int { valuesLength + 2 * keysLength }
    /// Rows of the first projection: gates, channels, steps.
    var inputLength: Int { valuesLength + channelCount + headCount }
    /// Elements of a sequence's state.
    var stateLength: Int { valuesLength * keyLength + (taps - 1) * channelCount }

    init(_ reader: MetadataReader) throws(ModelError) {
      keyLength = try reader.requiredSize("ssm.state_size")
      groupCount = try reader.requiredSize("ssm.group_count")
      headCount = try reader.requiredSize("ssm.time_step_rank")
      let inner = try reader.requiredSize("ssm.inner_size")
      taps = try reader.requiredSize("ssm.conv_kernel")
      valueLength = inner / headCount
      guard inner % headCount == 0, valueLength % 16 == 0, valueLength <= 4096 else {
        throw .badValue(
          key: reader.key("ssm.inner_size"), value: "\(inner)",
          expected: "a multiple of 16 times ssm.time_step_rank, \(headCount), of at most 4096 for each")
      }
      guard keyLength <= 4096, headCount % groupCount == 0, (2...64).contains(taps) else {
        throw .badValue(
          key: reader.key("ssm.state_size"), value: "\(keyLength), group_count \(groupCount), conv_kernel \(taps)",
          expected: "at most 4096, a divisor of ssm.time_step_rank, 2 to 64")
      }
      let largest = MetadataReader.largestSize / 128
      guard groupCount <= largest / keyLength, headCount <= largest / valueLength / keyLength else {
        throw .badValue(
          key: reader.key("ssm.time_step_rank"), value: "\(headCount)", expected: "states of at most \(largest) elements")
      }
    }

    /// The heads whose states a team keeps.
    @inline(__always)
    func heads(team: Int, teamCount: Int) -> Range<Int> { headCount * team / teamCount..<headCount * (team + 1) / teamCount }
  }

  init(
    _ configuration: Configuration, _ model: ModelConfiguration, _ prefix: String, _ binder: inout WeightBinder
  ) throws(ModelError) {
    let (sizes, length) = (configuration, model.embeddingLength)
    self.sizes = sizes
    input = try binder.matrix("\(prefix)ssm_in", columns: length, rows: sizes.inputLength)
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
  var outputBias: Vector { output.bias }
  var longestRow: Int { sizes.valuesLength }
  var history: History { .state }

  func takeRoom(_ room: inout TeamRoom, _ sizes: PassSizes) { _ = Buffers(&room, self, sizes) }

  func takeScratch(_ arena: inout Arena, _ sizes: PassSizes) {}

  func takeState(_ arena: inout Arena, _ state: StateSizes, team: Int, teamCount: Int) {
    _ = States(&arena, sizes, state, team: team, teamCount: teamCount)
  }

  /// What one team keeps of each sequence.
  struct States {
    /// The heads whose states these are.
    let heads: Range<Int>
    /// Every team has all channels.
    let inputs: ConvolutionInputs
    private let stateCount: Int
    private let length: Int
    /// [sequence][state][head][key][value]
    private let states: UnsafeMutablePointer<Float>

    @inline(__always)
    init(_ arena: inout Arena, _ sizes: Configuration, _ state: StateSizes, team: Int, teamCount: Int) {
      heads = sizes.heads(team: team, teamCount: teamCount)
      stateCount = state.stateCount
      length = sizes.keyLength * sizes.valueLength
      inputs = ConvolutionInputs(&arena, channelCount: sizes.channelCount, taps: sizes.taps, state)
      states = arena.floats(state.sequences * stateCount * heads.count * length)
    }

    @inline(__always)
    func state(of head: Int, sequence: Int, copy: Int = 0) -> Row {
      Row(states + ((sequence * stateCount + copy) * heads.count + head - heads.lowerBound) * length, count: length)
    }
  }

  /// What a team's threads keep from one barrier to the next.
  struct Buffers {
    /// Gates, values, keys, queries and steps [token][row].
    let inputs: Rows
    /// The output [token][head][value length].
    let mixed: Columns

    @inline(__always)
    init(_ room: inout TeamRoom, _ mixer: Mamba, _ pass: PassSizes) {
      inputs = room.parts.rows(pass.batch, length: mixer.sizes.inputLength)
      mixed = room.parts.columns(pass.batch, length: mixer.sizes.valuesLength)
    }
  }
}
