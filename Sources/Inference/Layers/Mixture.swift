// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackRuntime

/// A mixture of experts, and the expert that all tokens share if there is one.
struct Mixture: LayerPart {
  let routing: Routing
  let router: Matrix
  /// If present, the router does not read what the experts read, but the residual, normalised with these weights and divided by
  /// √(its length).
  let routerNorm: Vector
  /// A bias of the experts' scores that is used for choosing experts, not for weighting them.
  let selectionBias: Vector
  /// The experts of each token of the vocabulary, [token][rank], whatever their scores; nil: experts are chosen by scores.
  let tokenExperts: UnsafePointer<Int32>?
  let experts: GatedNetwork
  /// The projections between the residual and the experts; nil: experts read the residual.
  let latent: LatentExperts?
  let shared: GatedNetwork?
  /// The projection to one number, whose logistic function multiplies the shared expert's output; nil: no gate.
  let sharedGate: Matrix?
  /// Whether an expert's weight is applied to its input instead of its output.
  let weighsInputs: Bool

  /// The sizes and options of one layer's experts, from the metadata.
  struct Configuration: Sendable, Equatable {
    let routing: Routing
    /// The number of rows of an expert's gate and up projections; nil: as many as the tensors have.
    let hiddenLength: Int?
    let sharedCount: Int
    /// The same of the shared expert; nil: `sharedCount` times that of an expert.
    let sharedHiddenLength: Int?
    let activation: Activation
    let sharedActivation: Activation
    /// The length of the experts' inputs and outputs; nil: that of the residual.
    let latentLength: Int?
    /// Whether the experts follow from the token's id.
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
    // This bias is for images.
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
    // Each team adds its rows of one output to its rows of the other, so they must be divided in the same way.
    for team in 0..<binder.teamCount {
      let last = latent?.up ?? experts.down
      guard let shared, shared.down.rowRanges(of: team) != last.rowRanges(of: team) else { continue }
      throw .badDivision(
        name: "\(prefix)ffn_down_shexp.weight",
        other: latent == nil ? "\(prefix)ffn_down_exps.weight" : "that from the experts to the residual")
    }
  }

  /// Returns the number of rows of an expert's up projection, according to its tensor.
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
  /// The bias of the shared expert. The experts' own biases are added to each expert's output.
  var outputBias: Vector { shared?.down.bias ?? .none }
  var longestRow: Int { max(experts.hiddenLength, shared?.hiddenLength ?? 0) }

  func takeRoom(_ room: inout TeamRoom, _ sizes: PassSizes) { _ = Buffers(&room, self, sizes) }

  func takeScratch(_ arena: inout Arena, _ sizes: PassSizes) { _ = Scratch(&arena, self, sizes) }

  /// The chosen experts and their weights, [token][rank].
  struct Choices {
    let experts: UnsafeMutablePointer<Int32>
    let weights: Row

    @inline(__always)
    init(_ arena: inout Arena, _ routing: Routing, count: Int) {
      experts = arena.integers(count * routing.usedCount)
      weights = arena.row(count * routing.usedCount)
    }
  }

  /// The factors of the inputs of one expert's tokens.
  struct InputWeights {
    let choices: Choices
    /// The expert's choices, by their place in the sorted order.
    let placed: UnsafePointer<Int32>

    @inline(__always)
    subscript(index: Int) -> Float { choices.weights[Int(placed[index])] }
  }

  /// What a team's threads share from one barrier to the next.
  struct Buffers {
    /// The inputs of the last projections: one column per token for the shared expert, one per token and chosen expert for the
    /// others.
    let sharedHidden: GatedNetwork.Hidden?
    let hidden: GatedNetwork.Hidden
    /// The router's own input, if it does not read what the experts read, [token][embedding].
    let routerInput: Columns
    /// The experts' inputs, and the sum of their outputs, if these are shorter than the residual, [token][length].
    let latentInput: Columns
    let latentOutput: Columns
    /// The experts' scores [token][expert].
    let scores: Rows
    /// The shared expert's gate before the logistic function, [token][1].
    let sharedGates: Rows
    /// The choices of large steps; in small ones every thread chooses for itself.
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

  /// What each thread has for itself.
  struct Scratch {
    let tile: GatedNetwork.Tile
    let routing: Routing.Scratch
    /// For each expert, its first place when choices are sorted by expert (`starts`); for each place, its token (`tokens`) and its
    /// choice (`placed`), which is token · experts used + rank.
    let starts: UnsafeMutablePointer<Int32>
    /// The number of experts that some token has chosen, followed by these experts.
    let active: UnsafeMutablePointer<Int32>
    let tokens: UnsafeMutablePointer<Int32>
    let placed: UnsafeMutablePointer<Int32>
    /// The choices of small steps.
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
