// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels

/// The most that any layer asks of the buffers.
struct BufferSizes {
  /// Tokens in one step at most.
  let batch: Int
  /// Positions of logits in one step at most.
  let logitRows: Int
  let embedding: Int
  let queries: Int
  let keys: Int
  let values: Int
  let attended: Int
  let heads: Int
  let keyLength: Int
  let valueLength: Int
  let hidden: Int
  let sharedHidden: Int
  let expertHidden: Int
  let experts: Int
  let usedExperts: Int
  let rotaryPairs: Int
  let latent: LatentConfiguration?
  /// Columns for each token in attention's products: 2 where its activations have 16 bits.
  let fineColumns: Int
  let floats: KeptFloats

  /// Steps of up to this many tokens keep the residual in every thread, which saves the barriers of sharing it.
  static let privateTokens = 4
  /// Rows of gate and up that a thread computes at a time.
  static let tileRows = 128
  /// Queries that a thread attends with at a time.
  static let queryBlock = 32

  init(_ configuration: ModelConfiguration, _ floats: KeptFloats, batch: Int, logitRows: Int) {
    func most(_ size: (LayerConfiguration) -> Int) -> Int { configuration.layers.map(size).max() ?? 0 }
    self.floats = floats
    self.batch = batch
    self.logitRows = logitRows
    embedding = configuration.embeddingLength
    latent = configuration.latent
    let latent = configuration.latent
    fineColumns = configuration.experts != nil && latent == nil ? 2 : 1
    queries = most { $0.headCount * (latent?.queryLength ?? $0.keyLength) }
    keys = most { latent == nil ? $0.keyValueHeadCount * $0.keyLength : $0.keyLength }
    values = most { latent == nil ? $0.keyValueHeadCount * $0.valueLength : 0 }
    attended = most { $0.headCount * (latent?.valueLength ?? $0.valueLength) }
    heads = most(\.headCount)
    keyLength = most { $0.keyLength * $0.cacheParts }
    valueLength = most { $0.valueLength * $0.cacheParts }
    hidden = most(\.feedForwardLength)
    sharedHidden = configuration.experts?.sharedFeedForwardLength ?? 0
    expertHidden = configuration.experts?.feedForwardLength ?? 0
    experts = configuration.experts?.count ?? 0
    usedExperts = configuration.experts?.usedCount ?? 0
    rotaryPairs = configuration.rotary.dimensions / 2
  }
}

/// Which activations are kept as they are, besides quantised: those that some product reads so, and those that are quantised
/// only when all teams have computed their parts.
struct KeptFloats {
  private(set) var normed = false
  private(set) var attended = false
  private(set) var hidden = false
  private(set) var expertHidden = false

  init(_ weights: ModelWeights) {
    normed = weights.output.readsFloats
    for layer in weights.layers {
      let network = layer.feedForward
      normed = normed || layer.attention.readsFloats || network.readsFloats
      attended = attended || layer.attention.publishesFloats(layer.shape)
      if let dense = network.dense { hidden = hidden || dense.publishesFloats }
      if let experts = network.experts { expertHidden = expertHidden || experts.publishesFloats }
    }
  }
}

/// What the threads of one team share: plain pointers into its node's memory.
///
/// - Invariant: the pointers lie in an allocation that the `Model` owns. Writers and readers of one buffer are separated by a
///   barrier; within a phase, threads write disjoint parts. Buffers that lie in one place are separated by a barrier of all
///   teams: who reads one has come there before anyone writes the other.
struct TeamBuffers {
  /// Residual stream [token][embedding], when a step is too large to keep it in every thread.
  var residual: UnsafeMutablePointer<Float>
  /// The normalised residual [token][embedding].
  var normed: Columns
  /// In one place: the network starts behind the barrier after attention's output, and the next layer behind its own.
  var attention: AttentionBuffers
  var feedForward: FeedForwardBuffers
  /// Queries as attention reads them, for each head of keys and values [token][head of the group][key length].
  var rotated: UnsafeMutablePointer<Float>
  /// Outputs of a block, before they join the residual [token][embedding]; in one place with `rotated`, which is written behind
  /// the barrier after the projections that follow, and read before the one in front of the output.
  var projected: UnsafeMutablePointer<Float>
  /// Cosines and sines [token][pair], then those of layers with a window.
  var rotary: (cosines: UnsafeMutablePointer<Float>, sines: UnsafeMutablePointer<Float>)
  var windowRotary: (cosines: UnsafeMutablePointer<Float>, sines: UnsafeMutablePointer<Float>)

  init(_ arena: inout Arena, _ sizes: BufferSizes) {
    let batch = sizes.batch
    let columns = batch * sizes.fineColumns
    residual = arena.floats(batch * sizes.embedding)
    normed = arena.columns(columns, stride: sizes.embedding, keepsFloats: sizes.floats.normed)
    (attention, feedForward) = arena.overlay {
      AttentionBuffers(&$0, sizes)
    } _: {
      FeedForwardBuffers(&$0, sizes)
    }
    (rotated, projected) = arena.overlay {
      $0.floats(batch * sizes.heads * sizes.keyLength)
    } _: {
      $0.floats(columns * sizes.embedding)
    }
    rotary = (arena.floats(batch * sizes.rotaryPairs), arena.floats(batch * sizes.rotaryPairs))
    windowRotary = (arena.floats(batch * sizes.rotaryPairs), arena.floats(batch * sizes.rotaryPairs))
  }
}

/// What attention keeps from one barrier to the next.
struct AttentionBuffers {
  /// Raw projections [token][rows].
  var queries: UnsafeMutablePointer<Float>
  var keys: UnsafeMutablePointer<Float>
  var values: UnsafeMutablePointer<Float>
  /// Attention's output [token][head][value length].
  var attended: Columns
  /// MLA: compressed queries [token][rank]; plain parts of queries [head][token][plain]; attention's output [head][token][rank].
  var compressedQuery: Columns
  var plainQueries: Columns
  var latentAttended: Columns

  init(_ arena: inout Arena, _ sizes: BufferSizes) {
    let columns = sizes.batch * sizes.fineColumns
    queries = arena.floats(columns * sizes.queries)
    keys = arena.floats(columns * sizes.keys)
    values = arena.floats(columns * sizes.values)
    attended = arena.columns(columns, stride: sizes.attended, keepsFloats: sizes.floats.attended)
    let latent = sizes.latent
    let heads = latent == nil ? 0 : sizes.batch * sizes.heads
    compressedQuery = arena.columns(sizes.batch, stride: latent?.queryRank ?? 0)
    plainQueries = arena.columns(heads, stride: latent?.plainLength ?? 0)
    latentAttended = arena.columns(heads, stride: latent?.rank ?? 0)
  }
}

/// What the feed-forward network keeps from one barrier to the next.
struct FeedForwardBuffers {
  /// What its last projection reads: [token] or [token's expert], of the dense network and the experts.
  var hidden: Columns
  var expertHidden: Columns
  /// The experts' scores [token][expert]; the chosen ones [token][rank] and their weights.
  var scores: UnsafeMutablePointer<Float>
  var chosen: UnsafeMutablePointer<Int32>
  var weights: UnsafeMutablePointer<Float>

  init(_ arena: inout Arena, _ sizes: BufferSizes) {
    let choices = sizes.batch * sizes.usedExperts
    hidden = arena.columns(
      sizes.batch, stride: max(sizes.hidden, sizes.sharedHidden), keepsFloats: sizes.floats.hidden)
    expertHidden = arena.columns(choices, stride: sizes.expertHidden, keepsFloats: sizes.floats.expertHidden)
    scores = arena.floats(sizes.batch * sizes.experts)
    chosen = arena.integers(choices)
    weights = arena.floats(choices)
  }
}

/// What one thread has for itself.
struct ThreadBuffers {
  /// Bytes that this thread wrote into other teams' memory so far.
  var crossed: UnsafeMutablePointer<Int>
  /// Residual and normalised residual of small steps.
  var residual: UnsafeMutablePointer<Float>
  var normed: Columns
  /// Room for one column of anything.
  var column: UnsafeMutablePointer<Float>
  var column2: UnsafeMutablePointer<Float>
  /// Tiles of gate and up [token][tile row].
  var gate: UnsafeMutablePointer<Float>
  var up: UnsafeMutablePointer<Float>
  /// One block of queries: the positions that each sees, its sink, and the output.
  var begin: UnsafeMutablePointer<Int32>
  var end: UnsafeMutablePointer<Int32>
  var sinks: UnsafeMutablePointer<Float>
  var attended: UnsafeMutablePointer<Float>
  /// Choices in the order of experts: the first place of each expert's, and of each place the token and the choice, which is
  /// token · experts used + rank.
  var expertStarts: UnsafeMutablePointer<Int32>
  var expertTokens: UnsafeMutablePointer<Int32>
  var expertChoices: UnsafeMutablePointer<Int32>
  /// Chosen experts and their weights [token][rank] of small steps.
  var chosen: UnsafeMutablePointer<Int32>
  var weights: UnsafeMutablePointer<Float>
  /// One token's scores while its experts are chosen, and one for each group.
  var selection: UnsafeMutablePointer<Float>
  var groups: UnsafeMutablePointer<Float>

  init(_ arena: inout Arena, _ sizes: BufferSizes) {
    let few = min(sizes.batch, BufferSizes.privateTokens)
    let longest = max(
      sizes.embedding, sizes.queries, sizes.keys * 2, sizes.hidden, sizes.sharedHidden, sizes.expertHidden, sizes.keyLength,
      sizes.attended,
      sizes.experts)
    crossed = arena.take(8, of: Int.self)
    residual = arena.floats(few * sizes.embedding)
    normed = arena.columns(few * sizes.fineColumns, stride: sizes.embedding, keepsFloats: sizes.floats.normed)
    column = arena.floats(longest)
    column2 = arena.floats(longest)
    gate = arena.floats(sizes.batch * BufferSizes.tileRows)
    up = arena.floats(sizes.batch * BufferSizes.tileRows)
    begin = arena.integers(BufferSizes.queryBlock)
    end = arena.integers(BufferSizes.queryBlock)
    sinks = arena.floats(BufferSizes.queryBlock)
    attended = arena.floats(BufferSizes.queryBlock * sizes.valueLength)
    expertStarts = arena.integers(sizes.experts + 1)
    expertTokens = arena.integers(sizes.batch * sizes.usedExperts)
    expertChoices = arena.integers(sizes.batch * sizes.usedExperts)
    chosen = arena.integers(few * sizes.usedExperts)
    weights = arena.floats(few * sizes.usedExperts)
    selection = arena.floats(sizes.experts)
    groups = arena.floats(sizes.experts)
  }
}
