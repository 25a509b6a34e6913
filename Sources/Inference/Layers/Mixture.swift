// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackRuntime

/// A mixture of experts, and the expert that all tokens share where there is one.
struct Mixture: LayerPart {
  let routing: Routing
  let router: Matrix
  /// Where it is present, the router reads the residual normalised with these weights over √(its length), not what the experts read.
  let routerNorm: Vector
  /// Added to the experts' scores for choosing them, not for weighing them.
  let selectionBias: Vector
  /// The experts of each token of the vocabulary [token][rank], whatever their scores; nil: scores choose.
  let tokenExperts: UnsafePointer<Int32>?
  let experts: GatedNetwork
  /// What lies between the residual and the experts; nil: nothing.
  let latent: LatentExperts?
  let shared: GatedNetwork?
  /// One number, whose logistic function the shared expert's output is multiplied by; nil: none.
  let sharedGate: Matrix?
  /// Whether an expert's weight is applied to its input, not to its output.
  let weighsInputs: Bool

  /// What the metadata says of one layer's experts.
  struct Configuration: Sendable, Equatable {
    let routing: Routing
    /// Rows of an expert's gate and up projections; nil: as many as the tensors have.
    let hiddenLength: Int?
    let sharedCount: Int
    /// Rows of the shared expert's; nil: those of an expert for each of `sharedCount`.
    let sharedHiddenLength: Int?
    let activation: Activation
    let sharedActivation: Activation
    /// Elements of the experts' inputs and outputs; nil: as many as the residual has.
    let latentLength: Int?
    /// Whether the token itself chooses.
    let isChosenByToken: Bool

    init(_ reader: MetadataReader, _ architecture: Architecture, _ routing: Routing, layer: Int) throws(ModelError) {
      self.routing = routing
      activation = try architecture.activation(limitedBy: .expertClamp, reader, layer: layer)
      sharedActivation = try architecture.activation(limitedBy: .sharedClamp, reader, layer: layer)
      let hash = Architecture.OptionalKey.hashLayers
      isChosenByToken = architecture.keys.contains(hash) ? layer < (try reader.size(hash.rawValue) ?? 0) : false
      latentLength = try LatentExperts.length(reader, architecture)
      hiddenLength = try reader.size("expert_feed_forward_length", layer: layer)
      let count = try reader.size("expert_shared_count") ?? 0
      guard count <= 65536 else {
        throw .badValue(key: reader.key("expert_shared_count"), value: "\(count)", expected: "at most 65536")
      }
      sharedCount = architecture.alwaysSharesExpert ? max(1, count) : count
      let length = try reader.size("expert_shared_feed_forward_length")
      let (product, isTooLarge) = (length ?? 0).multipliedReportingOverflow(
        by: architecture.sharedLengthIsPerExpert ? max(1, count) : 1)
      guard !isTooLarge, product <= MetadataReader.largestSize else {
        throw .badValue(
          key: reader.key("expert_shared_feed_forward_length"), value: "\(length ?? 0) for each of \(count)",
          expected: "at most \(MetadataReader.largestSize) together")
      }
      sharedHiddenLength = length == nil ? nil : product
    }
  }

  init(
    _ configuration: Configuration, _ model: ModelConfiguration, _ prefix: String, _ binder: inout WeightBinder
  ) throws(ModelError) {
    routing = configuration.routing
    let hasRouterNorm = model.architecture.hasDenseBesideExperts
    routerNorm = hasRouterNorm ? try binder.vector("\(prefix)ffn_gate_inp.scale", count: model.embeddingLength) : .none
    router = try binder.matrix(
      "\(prefix)ffn_gate_inp", columns: model.embeddingLength, rows: routing.count, hasFactors: !hasRouterNorm)
    selectionBias = try binder.vector("\(prefix)exp_probs_b.bias", count: routing.count, isRequired: false)
    if configuration.isChosenByToken {
      let (name, vocabulary) = ("\(prefix)ffn_gate_tid2eid.weight", binder.shape("token_embd.weight")?.rows ?? 0)
      tokenExperts = try binder.integers(name, columns: routing.usedCount, rows: vocabulary, below: routing.count)
      guard binder.shape(name) != nil else { throw .missingTensor(name: name) }
    } else {
      tokenExperts = nil
    }
    // What images would add to the scores.
    if model.architecture.keys.contains(.hashLayers) { binder.skip("\(prefix)exp_probs_b_vl.bias") }
    guard let length = configuration.hiddenLength ?? Self.hiddenLength(prefix, binder) else {
      throw .missingTensor(name: "\(prefix)ffn_up_exps.weight")
    }
    experts = try GatedNetwork(
      hiddenLength: length, configuration.activation, count: routing.count, length: configuration.latentLength, model,
      "\(prefix)ffn",
      suffix: "_exps", &binder)
    latent = try configuration.latentLength.map { (length) throws(ModelError) in
      try LatentExperts(length: length, model, prefix, &binder)
    }
    let sharedLength = configuration.sharedHiddenLength ?? configuration.sharedCount * length
    shared =
      sharedLength == 0
      ? nil
      : try GatedNetwork(
        hiddenLength: sharedLength, configuration.sharedActivation, model, "\(prefix)ffn", suffix: "_shexp", &binder)
    sharedGate =
      shared != nil && model.architecture.gatesSharedExpert
      ? try binder.matrix("\(prefix)ffn_gate_inp_shexp", columns: model.embeddingLength, rows: 1) : nil
    guard sharedGate?.bias.isPresent != true else { throw .unusedTensor(name: "\(prefix)ffn_gate_inp_shexp.bias") }
    weighsInputs = model.architecture.weighsExpertInputs
    // A team adds the rows of the one to those of the others.
    for team in 0..<binder.teamCount {
      let last = latent?.up ?? experts.down
      guard let shared, shared.down.rowRanges(of: team) != last.rowRanges(of: team) else { continue }
      throw .badDivision(
        name: "\(prefix)ffn_down_shexp.weight",
        other: latent == nil ? "\(prefix)ffn_down_exps.weight" : "that from the experts to the residual")
    }
  }

  /// Rows of an expert's up projection, as its tensor has them.
  private static func hiddenLength(_ prefix: String, _ binder: WeightBinder) -> Int? {
    binder.shape("\(prefix)ffn_up_exps.weight")?.rows ?? binder.shape("\(prefix)ffn_up.0.weight")?.rows
      ?? binder.shape("\(prefix)ffn_gate_up_exps.weight").map { $0.rows / 2 }
  }

  var readsQuants: Bool {
    !routerNorm.isPresent && router.readsQuants || latent?.down.readsQuants ?? experts.readsQuants || shared?.readsQuants ?? false
      || sharedGate?.readsQuants ?? false
  }
  var readsFloats: Bool {
    !routerNorm.isPresent && router.readsFloats || latent?.down.readsFloats ?? experts.readsFloats || shared?.readsFloats ?? false
      || sharedGate?.readsFloats ?? false
  }
  /// The experts' own biases are added to each one's output.
  var outputBias: Vector { shared?.down.bias ?? .none }
  var longestRow: Int { max(experts.hiddenLength, shared?.hiddenLength ?? 0) }

  func takeRoom(_ room: inout TeamRoom, _ sizes: PassSizes) { _ = Buffers(&room, self, sizes) }

  func takeScratch(_ arena: inout Arena, _ sizes: PassSizes) { _ = Scratch(&arena, self, sizes) }

  /// [token][rank] of the chosen experts and their weights.
  struct Choices {
    let experts: UnsafeMutablePointer<Int32>
    let weights: Row

    @inline(__always)
    init(_ arena: inout Arena, _ routing: Routing, count: Int) {
      experts = arena.integers(count * routing.usedCount)
      weights = arena.row(count * routing.usedCount)
    }
  }

  /// What the inputs of one expert's tokens are multiplied by.
  struct InputWeights {
    let choices: Choices
    /// The expert's places among the sorted choices.
    let placed: UnsafePointer<Int32>

    @inline(__always)
    subscript(index: Int) -> Float { choices.weights[Int(placed[index])] }
  }

  /// What a team's threads keep from one barrier to the next.
  struct Buffers {
    /// What the last projections read: the shared expert's [token], the others' [token's expert].
    let sharedHidden: GatedNetwork.Hidden?
    let hidden: GatedNetwork.Hidden
    /// What the router reads, where it reads something of its own [token][embedding].
    let routerInput: Columns
    /// The experts' inputs and their outputs' sum, where these are shorter than the residual [token][length].
    let latentInput: Columns
    let latentOutput: Columns
    /// The experts' scores [token][expert].
    let scores: Rows
    /// The shared expert's gate before the logistic function [token][1].
    let sharedGates: Rows
    /// Of steps too large for every thread to choose for itself.
    let choices: Choices

    @inline(__always)
    init(_ room: inout TeamRoom, _ mixture: Mixture, _ sizes: PassSizes) {
      let batch = sizes.batch
      sharedHidden = mixture.shared.map { GatedNetwork.Hidden(&room, $0, count: batch) }
      hidden = GatedNetwork.Hidden(&room, mixture.experts, count: batch * mixture.routing.usedCount)
      routerInput = room.parts.columns(mixture.routerNorm.isPresent ? batch : 0, length: sizes.embedding)
      let (tokens, length) = (mixture.latent == nil ? 0 : batch, mixture.latent?.length ?? 0)
      latentInput = room.parts.columns(tokens, length: length)
      latentOutput = room.parts.columns(tokens, length: length)
      scores = room.parts.rows(batch, length: mixture.routing.count)
      sharedGates = room.parts.rows(mixture.sharedGate == nil ? 0 : batch, length: 1)
      choices = Choices(&room.parts, mixture.routing, count: batch)
    }
  }

  /// What a thread has for itself.
  struct Scratch {
    let tile: GatedNetwork.Tile
    let routing: Routing.Scratch
    /// Choices in the order of experts: the first place of each expert's, and of each place the token and the choice, which is
    /// token · experts used + rank.
    let starts: UnsafeMutablePointer<Int32>
    /// How many experts were chosen by some token, and which.
    let active: UnsafeMutablePointer<Int32>
    let tokens: UnsafeMutablePointer<Int32>
    let placed: UnsafeMutablePointer<Int32>
    /// Of small steps.
    let choices: Choices

    @inline(__always)
    init(_ arena: inout Arena, _ mixture: Mixture, _ sizes: PassSizes) {
      let routing = mixture.routing
      tile = GatedNetwork.Tile(&arena, sizes)
      self.routing = Routing.Scratch(&arena, routing)
      starts = arena.integers(routing.count + 1)
      active = arena.integers(routing.count + 1)
      tokens = arena.integers(sizes.batch * routing.usedCount)
      placed = arena.integers(sizes.batch * routing.usedCount)
      choices = Choices(&arena, routing, count: min(sizes.batch, PassSizes.tokensPerThread))
    }
  }
}
