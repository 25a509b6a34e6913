// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackRuntime

/// A feed-forward network, down(activation(gate(x), up(x))), or a stack of them. Without a gate it is down(activation(up(x))).
struct GatedNetwork: LayerPart {
  /// The projection that the activation function is applied to; it is the one called `up` if there is no other.
  let gate: Matrix
  /// The other projection; nil: there is no gate.
  let up: Matrix?
  let down: Matrix
  /// Whether some team holds rows of `up` without the same rows of `gate`. The activation is then a step of its own.
  let isApart: Bool
  let activation: Activation
  /// The form in which a thread publishes rows of the activation.
  let hiddenForm: ActivationForm

  /// The sizes of one layer's network, from the metadata.
  struct Configuration: Sendable, Equatable {
    /// The number of elements between the projections.
    let hiddenLength: Int
    let activation: Activation

    init(_ reader: MetadataReader, _ architecture: Architecture, layer: Int) throws(ModelError) {
      activation = try architecture.activation(limitedBy: .sharedClamp, reader, layer: layer)
      guard let length = try reader.size("feed_forward_length", layer: layer), length > 0 else {
        throw .missingKey(key: reader.key("feed_forward_length"))
      }
      hiddenLength = length
    }
  }

  init(
    _ configuration: Configuration, _ model: ModelConfiguration, _ name: String, _ binder: inout WeightBinder
  ) throws(ModelError) {
    try self.init(hiddenLength: configuration.hiddenLength, configuration.activation, model, name, &binder)
  }

  /// - Parameters:
  ///   - name: What the tensors' names begin with, before `_gate`, `_up` and `_down`.
  ///   - suffix: What follows these.
  ///   - count: The number of networks in the stack; biases have one row for each.
  ///   - length: The length of inputs and outputs; nil: that of the residual.
  init(
    hiddenLength: Int, _ activation: Activation, count: Int = 1, length: Int? = nil, _ model: ModelConfiguration, _ name: String,
    suffix: String = "", _ binder: inout WeightBinder
  ) throws(ModelError) {
    let length = length ?? model.embeddingLength
    (gate, up) = try Self.projections(
      hiddenLength, isGated: activation.isGated, count: count, inputLength: length, name, suffix: suffix, &binder)
    down = try binder.matrix("\(name)_down\(suffix)", columns: hiddenLength, rows: length, experts: count)
    self.activation = activation
    let (gate, up) = (gate, up)
    isApart = (0..<binder.teamCount).contains { team in up.map { gate.rowRanges(of: team) != $0.rowRanges(of: team) } ?? false }
    // If a cut between teams runs through a block of 32, no thread has the whole block to quantise.
    let isQuantised = down.readsQuants && !isApart && gate.isCutAt32 && up?.isCutAt32 ?? true && hiddenLength % 32 == 0
    hiddenForm = ActivationForm(quantised: isQuantised, plain: !isQuantised || down.readsFloats)
  }

  /// Binds the projections from the input, in whichever form the file has them.
  private static func projections(
    _ hiddenLength: Int, isGated: Bool, count: Int, inputLength length: Int, _ name: String, suffix: String,
    _ binder: inout WeightBinder
  ) throws(ModelError) -> (gate: Matrix, up: Matrix?) {
    let (whole, fusedName) = ("\(name)_gate_up\(suffix)", "\(name)_up\(suffix)")
    guard isGated else { return (try binder.matrix(fusedName, columns: length, rows: hiddenLength, experts: count), nil) }
    // Some files store the gate's rows before those of `up`, under the name of `up`.
    let isUnderUp =
      binder.shape("\(name)_gate\(suffix).weight") == nil && binder.shape("\(fusedName).weight")?.rows == 2 * hiddenLength
    if let fused = try binder.find(isUnderUp ? fusedName : whole, columns: length, rows: 2 * hiddenLength, experts: count) {
      guard count == 1 || !fused.bias.isPresent else { throw .unusedTensor(name: "\(isUnderUp ? fusedName : whole).bias") }
      return (binder.rows(0..<hiddenLength, of: fused), binder.rows(hiddenLength..<2 * hiddenLength, of: fused))
    }
    return (
      try binder.matrix("\(name)_gate\(suffix)", columns: length, rows: hiddenLength, experts: count),
      try binder.matrix("\(name)_up\(suffix)", columns: length, rows: hiddenLength, experts: count)
    )
  }

  /// The number of elements between the projections.
  var hiddenLength: Int { gate.rows }
  var readsQuants: Bool { gate.readsQuants || up?.readsQuants ?? false }
  var readsFloats: Bool { gate.readsFloats || up?.readsFloats ?? false }
  var outputBias: Vector { down.bias }
  var longestRow: Int { hiddenLength }

  func takeRoom(_ room: inout TeamRoom, _ sizes: PassSizes) { _ = Hidden(&room, self, count: sizes.batch) }

  func takeScratch(_ arena: inout Arena, _ sizes: PassSizes) { _ = Tile(&arena, sizes) }

  /// Returns the number of units that a team computes: of 32 rows of gate and up together, or, if they are apart, of 16 rows of
  /// gate followed by those of up.
  @inline(__always)
  func hiddenUnitCount(team: Int) -> Int {
    guard isApart, let up else { return gate.unitCount(team: team, unit: 32) }
    return gate.unitCount(team: team) + up.unitCount(team: team)
  }

  /// The values between the projections, on every team.
  struct Hidden {
    /// The input of the last projection.
    let columns: Columns
    /// Gate and up before the activation, used if they are apart.
    let gate: Rows
    let up: Rows

    @inline(__always)
    init(_ room: inout TeamRoom, _ network: GatedNetwork, count: Int) {
      columns = room.parts.columns(count, length: network.hiddenLength, keepsPlain: network.hiddenForm.plain)
      gate = room.parts.rows(network.isApart ? count : 0, length: network.hiddenLength)
      up = room.parts.rows(network.isApart ? count : 0, length: network.hiddenLength)
    }

    private init(columns: Columns, gate: Rows, up: Rows) { (self.columns, self.gate, self.up) = (columns, gate, up) }

    /// Returns the same values without the first `column` columns.
    func from(_ column: Int) -> Hidden { Hidden(columns: columns.from(column), gate: gate.from(column), up: up.from(column)) }
  }

  /// The rows of gate and up that one thread computes at a time, [column][row of the tile].
  struct Tile {
    let gate: Rows
    let up: Rows

    @inline(__always)
    init(_ arena: inout Arena, _ sizes: PassSizes) {
      gate = arena.rows(sizes.batch, length: PassSizes.tileRows)
      up = arena.rows(sizes.batch, length: PassSizes.tileRows)
    }
  }
}

extension Architecture {
  /// Returns the activation of a layer's network, with the limit that the file may set; a limit of 0 means none.
  func activation(limitedBy key: OptionalKey, _ reader: MetadataReader, layer: Int) throws(ModelError) -> Activation {
    if keys.contains(.situ) {
      guard let beta = try reader.number(OptionalKey.situ.rawValue, from: 0), beta > 0 else {
        throw .missingKey(key: reader.key(OptionalKey.situ.rawValue))
      }
      return .situ(beta: beta, linear: max(0, try reader.number("activation.situ_linear_beta") ?? 0))
    }
    guard keys.contains(key) else { return activation }
    // Without a limit of its own, the shared expert has that of the other experts.
    let other =
      limitsGateFirst && key == .sharedClamp ? try reader.number(OptionalKey.expertClamp.rawValue, layer: layer, from: 0) : nil
    guard let limit = try reader.number(key.rawValue, layer: layer, from: 0) ?? other, limit > 0 else { return activation }
    return limitsGateFirst ? .cappedSwiGLU(limit) : .limitedSwiGLU(limit)
  }
}

/// A dense network of one layer on one thread, from the normalised residual to the output in `projected`.
struct GatedNetworkStep {
  private let thread: PassThread
  private let network: GatedNetwork
  private let hidden: GatedNetwork.Hidden
  private let tile: GatedNetwork.Tile

  @inline(__always)
  init(_ thread: PassThread, _ network: GatedNetwork) {
    self.thread = thread
    self.network = network
    var room = thread.room
    hidden = GatedNetwork.Hidden(&room, network, count: thread.pass.sizes.batch)
    var scratch = thread.scratch
    tile = GatedNetwork.Tile(&scratch, thread.pass.sizes)
  }

  func run() {
    thread.computeHidden(network, hidden, tile)
    thread.worker.barrier(after: .hidden)
    if network.isApart {
      thread.activateApart(network, 0..<thread.step.count, hidden)
      thread.worker.teamBarrier()
    }
    thread.quantizeHidden(network, hidden, count: thread.step.count)
    thread.projectOutput(network.down, hidden.columns)
  }
}

extension PassThread {
  /// Computes gate, up and the activation of all tokens, in tiles of rows. The caller must pass a barrier afterwards.
  func computeHidden(_ network: GatedNetwork, _ hidden: GatedNetwork.Hidden, _ tile: GatedNetwork.Tile) {
    let units = network.hiddenUnitCount(team: worker.team)
    worker.forEachPart(of: units, .hidden, most: PassSizes.tileRows / 32) { part in
      if network.isApart { return computeApart(network, part, normed, count: step.count, hidden) }
      network.gate.forEachTile(team: worker.team, unit: 32, part: part) { rows in
        activate(network, rows, normed, count: step.count, in: tile)
        for token in 0..<step.count {
          publish(
            tile.gate[token][..<rows.count], as: network.hiddenForm, to: hidden.columns, column: token, from: rows.lowerBound)
        }
      }
    }
  }

  /// Quantises the input of the last projection, unless the threads that computed it have already done so.
  func quantizeHidden(_ network: GatedNetwork, _ hidden: GatedNetwork.Hidden, count: Int) {
    guard network.down.readsQuants, !network.hiddenForm.quantised else { return }
    quantizeShared(hidden.columns, count: count)
  }

  /// Computes some units of rows of gate and up separately, for every team.
  func computeApart(
    _ network: GatedNetwork, of expert: Int = 0, _ part: Range<Int>, _ input: Columns, count: Int,
    map: UnsafePointer<Int32>? = nil, _ hidden: GatedNetwork.Hidden
  ) {
    network.gate.forEachRun(team: worker.team, part: part) { rows in
      network.gate.multiply(rows, of: expert, team: worker.team, input, count: count, map: map, into: hidden.gate)
      publish(hidden.gate, rows, count: count)
    }
    guard let up = network.up else { return }
    up.forEachRun(team: worker.team, first: network.gate.unitCount(team: worker.team), part: part) { rows in
      up.multiply(rows, of: expert, team: worker.team, input, count: count, map: map, into: hidden.up)
      publish(hidden.up, rows, count: count)
    }
  }

  /// Applies the activation to this thread's part of some columns. The caller must pass a barrier afterwards.
  func activateApart(
    _ network: GatedNetwork, of expert: Int = 0, _ columns: Range<Int>, weights: Mixture.InputWeights? = nil,
    _ hidden: GatedNetwork.Hidden
  ) {
    let gateBias = vector(network.gate.bias.row(expert, length: network.hiddenLength))
    let upBias = network.up.flatMap { vector($0.bias.row(expert, length: network.hiddenLength)) }
    for index in part(of: columns.count) {
      let column = columns.lowerBound + index
      if let weight = weights?[index] {
        kernels.scale(hidden.gate[column], by: weight)
        kernels.scale(hidden.up[column], by: weight)
      }
      if let gateBias { kernels.add(hidden.gate[column], gateBias, into: hidden.gate[column]) }
      if let upBias { kernels.add(hidden.up[column], upBias, into: hidden.up[column]) }
      kernels.activate(network.activation, gate: hidden.gate[column], up: hidden.up[column])
      hidden.columns[column].copy(hidden.gate[column])
    }
  }

  /// Computes activation(gate, up) of some rows for `count` columns, into the tile's `gate`.
  @inline(__always)
  func activate(
    _ network: GatedNetwork, of expert: Int = 0, _ rows: Range<Int>, _ input: Columns, count: Int,
    map: UnsafePointer<Int32>? = nil, weights: Mixture.InputWeights? = nil, in tile: GatedNetwork.Tile
  ) {
    network.gate.multiply(
      rows, of: expert, team: worker.team, input, count: count, map: map, into: tile.gate, first: rows.lowerBound)
    network.up?.multiply(rows, of: expert, team: worker.team, input, count: count, map: map, into: tile.up, first: rows.lowerBound)
    let gateBias = vector(network.gate.bias.row(expert, length: network.hiddenLength)[rows])
    let upBias = network.up.flatMap { vector($0.bias.row(expert, length: network.hiddenLength)[rows]) }
    for column in 0..<count {
      let (gate, up) = (tile.gate[column][..<rows.count], tile.up[column][..<rows.count])
      if let weight = weights?[column] {
        // Scaling the input would scale both, as both are linear in it.
        kernels.scale(gate, by: weight)
        kernels.scale(up, by: weight)
      }
      if let gateBias { kernels.add(gate, gateBias, into: gate) }
      if let upBias { kernels.add(up, upBias, into: up) }
      kernels.activate(network.activation, gate: gate, up: up)
    }
  }
}
