// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The sizes of a mixer that keeps a matrix of keys and values for each head, after a short causal convolution: the keys `ssm.*`.
struct RecurrentSizes: Sendable, Equatable {
  /// The number of heads, each with its own values and state.
  let headCount: Int
  /// The number of groups of heads. A group has one key and one query.
  let groupCount: Int
  /// The length of a key, in elements.
  let keyLength: Int
  /// The length of a head's value, in elements.
  let valueLength: Int
  /// The number of tokens that the convolution sees, the token's own included.
  let taps: Int

  var keysLength: Int { groupCount * keyLength }
  var valuesLength: Int { headCount * valueLength }
  /// The number of channels of the convolution: values, keys and queries.
  var channelCount: Int { 2 * keysLength + valuesLength }
  /// The length of a sequence's state, in elements.
  var stateLength: Int { valuesLength * keyLength + (taps - 1) * channelCount }

  /// Reads the sizes from the keys `ssm.*`.
  ///
  /// - Parameter leastTaps: The fewest taps that the mixer can have.
  init(_ reader: MetadataReader, leastTaps: Int) throws(ModelError) {
    keyLength = try reader.requiredSize("ssm.state_size")
    groupCount = try reader.requiredSize("ssm.group_count")
    headCount = try reader.requiredSize("ssm.time_step_rank")
    let inner = try reader.requiredSize("ssm.inner_size")
    taps = try reader.requiredSize("ssm.conv_kernel")
    valueLength = inner / headCount
    guard inner % headCount == 0, valueLength <= 4096 else {
      throw .badValue(
        key: reader.key("ssm.inner_size"), value: "\(inner)",
        expected: "a multiple of ssm.time_step_rank, \(headCount), of at most 4096 for each")
    }
    guard keyLength <= 4096, headCount % groupCount == 0, (leastTaps...64).contains(taps) else {
      throw .badValue(
        key: reader.key("ssm.state_size"), value: "\(keyLength), group_count \(groupCount), conv_kernel \(taps)",
        expected: "at most 4096, a divisor of ssm.time_step_rank, \(leastTaps) to 64")
    }
    let largest = MetadataReader.largestSize / 128
    guard groupCount <= largest / keyLength, headCount <= largest / valueLength / keyLength else {
      throw .badValue(
        key: reader.key("ssm.time_step_rank"), value: "\(headCount)", expected: "states of at most \(largest) elements")
    }
  }

  /// Makes the sizes of a mixer in which every head has its own keys, as long as its values.
  init(_ reader: MetadataReader, headCount: Int, length: Int) throws(ModelError) {
    (self.headCount, groupCount, keyLength, valueLength) = (headCount, headCount, length, length)
    taps = try reader.requiredSize("ssm.conv_kernel")
    guard length <= 4096, (2...64).contains(taps), headCount <= MetadataReader.largestSize / 128 / length / length else {
      throw .badValue(
        key: reader.key("kda.head_dim"), value: "\(length), head_count \(headCount), conv_kernel \(taps)",
        expected: "at most 4096, states of at most \(MetadataReader.largestSize / 128) elements, 2 to 64")
    }
  }

  /// Returns the heads whose states a team keeps.
  @inline(__always)
  func heads(team: Int, teamCount: Int) -> Range<Int> { headCount * team / teamCount..<headCount * (team + 1) / teamCount }
}

/// What one team keeps of each sequence for a recurrent mixer.
struct RecurrentStates {
  /// The heads whose states these are.
  let heads: Range<Int>
  /// The inputs of the convolution, of all channels on every team.
  let inputs: ConvolutionInputs
  /// The number of tiles in each head's state.
  let tileCount: Int
  /// The number of states of each sequence, copies included.
  private let stateCount: Int
  /// Elements of a tile.
  private let length: Int
  /// [sequence][state][head][tile][key][column of the tile]
  private let states: UnsafeMutablePointer<Float>

  /// - Parameter columns: The number of columns of a head's state that are stored together; it divides `valueLength`.
  @inline(__always)
  init(_ arena: inout Arena, _ sizes: RecurrentSizes, columns: Int, _ state: StateSizes, team: Int, teamCount: Int) {
    heads = sizes.heads(team: team, teamCount: teamCount)
    tileCount = sizes.valueLength / columns
    stateCount = state.stateCount
    length = sizes.keyLength * columns
    inputs = ConvolutionInputs(&arena, channelCount: sizes.channelCount, taps: sizes.taps, state)
    states = arena.floats(state.sequences * stateCount * heads.count * tileCount * length)
  }

  /// The inputs of the convolution, and the states, as pieces of state.
  var pieces: [StatePiece] {
    let byteCount = heads.count * tileCount * length * MemoryLayout<Float>.stride
    return [inputs.piece, StatePiece(start: states, sequenceStride: stateCount * byteCount, extent: .state(byteCount: byteCount))]
  }

  /// Returns one tile of the state of a sequence's head.
  ///
  /// - Parameter copy: The number of a copy of the state; 0: the state itself.
  @inline(__always)
  func tile(_ tile: Int, of head: Int, sequence: Int, copy: Int = 0) -> Row {
    let place = ((sequence * stateCount + copy) * heads.count + head - heads.lowerBound) * tileCount + tile
    return Row(states + place * length, count: length)
  }
}

extension PassThread {
  /// Calls `body` for each token of each sequence in order, with one tile of a head's state.
  @inline(__always)
  func forEachToken(_ states: RecurrentStates, head: Int, tile: Int = 0, _ body: (_ token: Int, _ state: Row) -> Void) {
    forEachToken(
      begin: { states.tile(tile, of: head, sequence: $0).fill(0) },
      copy: { sequence, source, target in
        states.tile(tile, of: head, sequence: sequence, copy: target).copy(
          states.tile(tile, of: head, sequence: sequence, copy: source))
      }
    ) { sequence, token in body(token, states.tile(tile, of: head, sequence: sequence)) }
  }
}
