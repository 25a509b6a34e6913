// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackRuntime

/// A feed-forward network, down(activation(gate(x), up(x))), or a stack of them.
struct GatedNetwork: LayerPart {
  let gate: Matrix
  let up: Matrix
  let down: Matrix
  let activation: Activation
  /// How the thread that computes rows of gate and up hands them on.
  let hiddenForm: ActivationForm

  /// What the metadata says of one layer's network.
  struct Configuration: Sendable, Equatable {
    /// Elements between the projections.
    let hiddenLength: Int

    init(_ reader: MetadataReader, layer: Int) throws(ModelError) {
      guard let length = try reader.size("feed_forward_length", layer: layer), length > 0 else {
        throw .missingKey(key: reader.key("feed_forward_length"))
      }
      hiddenLength = length
    }
  }

  init(
    _ configuration: Configuration, _ model: ModelConfiguration, _ name: String, _ binder: inout WeightBinder
  ) throws(ModelError) {
    try self.init(hiddenLength: configuration.hiddenLength, model, name, &binder)
  }

  /// - Parameters:
  ///   - name: Of the tensors, before `_gate`, `_up` and `_down`.
  ///   - suffix: What follows these.
  ///   - count: How many there are in the stack; biases are one row for each.
  init(
    hiddenLength: Int, count: Int = 1, _ model: ModelConfiguration, _ name: String, suffix: String = "",
    _ binder: inout WeightBinder
  ) throws(ModelError) {
    let length = model.embeddingLength
    gate = try binder.matrix("\(name)_gate\(suffix)", columns: length, rows: hiddenLength, experts: count)
    up = try binder.matrix("\(name)_up\(suffix)", columns: length, rows: hiddenLength, experts: count)
    down = try binder.matrix("\(name)_down\(suffix)", columns: hiddenLength, rows: length, experts: count)
    activation = model.architecture.activation
    // Where cuts between teams run through a block of 32, no thread has all of the block.
    let isQuantised = down.readsQuants && gate.isCutAt32 && up.isCutAt32 && hiddenLength % 32 == 0
    hiddenForm = ActivationForm(quantised: isQuantised, plain: !isQuantised || down.readsFloats)
    // Rows of gate and up meet in one activation, so a team must hold the same of both.
    for team in 0..<binder.teamCount where gate.rowRanges(of: team) != up.rowRanges(of: team) {
      throw .badDivision(name: "\(name)_up\(suffix).weight")
    }
  }

  /// Elements between the projections.
  var hiddenLength: Int { gate.rows }
  var readsQuants: Bool { gate.readsQuants || up.readsQuants }
  var readsFloats: Bool { gate.readsFloats || up.readsFloats }
  var outputBias: Vector { down.bias }
  var longestRow: Int { hiddenLength }

  func takeRoom(_ room: inout TeamRoom, _ sizes: PassSizes) { _ = hidden(&room, count: sizes.batch) }

  func takeScratch(_ arena: inout Arena, _ sizes: PassSizes) { _ = Tile(&arena, sizes) }

  /// What the last projection reads, on every team.
  @inline(__always)
  func hidden(_ room: inout TeamRoom, count: Int) -> Columns {
    room.parts.columns(count, length: hiddenLength, keepsPlain: hiddenForm.plain)
  }

  /// Rows of gate and of up that one thread computes at a time [column][row of the tile].
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

/// A dense network of one layer on one thread, from the normalised residual to the output in `projected`.
struct GatedNetworkStep {
  private let thread: PassThread
  private let network: GatedNetwork
  private let hidden: Columns
  private let tile: GatedNetwork.Tile

  @inline(__always)
  init(_ thread: PassThread, _ network: GatedNetwork) {
    self.thread = thread
    self.network = network
    var room = thread.room
    hidden = network.hidden(&room, count: thread.pass.sizes.batch)
    var scratch = thread.scratch
    tile = GatedNetwork.Tile(&scratch, thread.pass.sizes)
  }

  func run() {
    thread.computeHidden(network, hidden, tile)
    thread.worker.barrier(after: .hidden)
    thread.finishHidden(network, hidden, count: thread.step.count)
    thread.projectOutput(network.down, hidden)
  }
}

extension PassThread {
  /// Gate, up and the activation of all tokens, in tiles of rows; the barrier that follows is the caller's.
  func computeHidden(_ network: GatedNetwork, _ hidden: Columns, _ tile: GatedNetwork.Tile) {
    let units = network.gate.unitCount(team: worker.team, unit: 32)
    worker.forEachPart(of: units, .hidden, most: PassSizes.tileRows / 32) { part in
      network.gate.forEachTile(team: worker.team, unit: 32, part: part) { rows in
        activate(network, rows, normed, count: step.count, in: tile)
        for token in 0..<step.count {
          publish(
            tile.gate[token][..<rows.count], as: network.hiddenForm, to: hidden, column: token, from: rows.lowerBound)
        }
      }
    }
  }

  /// Quantises what the last projection reads, unless the threads that computed it have done so.
  func finishHidden(_ network: GatedNetwork, _ hidden: Columns, count: Int) {
    guard network.down.readsQuants, !network.hiddenForm.quantised else { return }
    quantizeShared(hidden, count: count)
  }

  /// activation(gate, up) of some rows for `count` columns, left in the tile's `gate`.
  @inline(__always)
  func activate(
    _ network: GatedNetwork, of expert: Int = 0, _ rows: Range<Int>, _ input: Columns, count: Int,
    map: UnsafePointer<Int32>? = nil, in tile: GatedNetwork.Tile
  ) {
    network.gate.multiply(
      rows, of: expert, team: worker.team, input, count: count, map: map, into: tile.gate, first: rows.lowerBound)
    network.up.multiply(rows, of: expert, team: worker.team, input, count: count, map: map, into: tile.up, first: rows.lowerBound)
    let gateBias = vector(network.gate.bias.row(expert, length: network.hiddenLength)[rows])
    let upBias = vector(network.up.bias.row(expert, length: network.hiddenLength)[rows])
    for column in 0..<count {
      let (gate, up) = (tile.gate[column][..<rows.count], tile.up[column][..<rows.count])
      if let gateBias { kernels.add(gate, gateBias, into: gate) }
      if let upBias { kernels.add(up, upBias, into: up) }
      kernels.activate(network.activation, gate: gate, up: up)
    }
  }
}
