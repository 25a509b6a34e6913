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

  /// Steps of up to this many tokens keep the residual in every thread, which saves the barriers of sharing it.
  static let privateTokens = 4
  /// Rows of gate and up that a thread computes at a time.
  static let tileRows = 128
  /// Queries that a thread attends with at a time.
  static let queryBlock = 32

  init(_ configuration: ModelConfiguration, batch: Int, logitRows: Int) {
    func most(_ size: (LayerConfiguration) -> Int) -> Int { configuration.layers.map(size).max() ?? 0 }
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

/// What the threads of one team share: plain pointers into its node's memory.
///
/// - Invariant: the pointers lie in an allocation that the `Model` owns. Writers and readers of one buffer are separated by a
///   barrier; within a phase, threads write disjoint parts.
struct TeamBuffers {
  /// Residual stream [token][embedding], when a step is too large to keep it in every thread.
  var residual: UnsafeMutablePointer<Float>
  /// The normalised residual [token][embedding].
  var normed: Columns
  /// Raw projections [token][rows].
  var queries: UnsafeMutablePointer<Float>
  var keys: UnsafeMutablePointer<Float>
  var values: UnsafeMutablePointer<Float>
  /// Queries as attention reads them, for each head of keys and values [token][head of the group][key length].
  var rotated: UnsafeMutablePointer<Float>
  /// Attention's output [token][head][value length].
  var attended: Columns
  /// Outputs of a block, before they join the residual [token][embedding].
  var projected: UnsafeMutablePointer<Float>
  /// What the feed-forward network's last projection reads: [token] or [token's expert], of the dense network and the experts.
  var hidden: Columns
  var expertHidden: Columns
  /// The experts' scores [token][expert]; the chosen ones [token][rank] and their weights.
  var scores: UnsafeMutablePointer<Float>
  var chosen: UnsafeMutablePointer<Int32>
  var weights: UnsafeMutablePointer<Float>
  /// Cosines and sines [token][pair], then those of layers with a window.
  var rotary: (cosines: UnsafeMutablePointer<Float>, sines: UnsafeMutablePointer<Float>)
  var windowRotary: (cosines: UnsafeMutablePointer<Float>, sines: UnsafeMutablePointer<Float>)
  /// MLA: compressed queries [token][rank]; plain parts of queries [head][token][plain]; attention's output [head][token][rank].
  var compressedQuery: Columns
  var plainQueries: Columns
  var latentAttended: Columns

  init(_ arena: inout Arena, _ sizes: BufferSizes) {
    let batch = sizes.batch
    let columns = batch * sizes.fineColumns
    residual = arena.floats(batch * sizes.embedding)
    normed = arena.columns(columns, stride: sizes.embedding)
    queries = arena.floats(columns * sizes.queries)
    keys = arena.floats(columns * sizes.keys)
    values = arena.floats(columns * sizes.values)
    rotated = arena.floats(batch * sizes.heads * sizes.keyLength)
    attended = arena.columns(columns, stride: sizes.attended)
    projected = arena.floats(columns * sizes.embedding)
    hidden = arena.columns(batch, stride: max(sizes.hidden, sizes.sharedHidden))
    expertHidden = arena.columns(batch * sizes.usedExperts, stride: sizes.expertHidden)
    scores = arena.floats(batch * sizes.experts)
    chosen = arena.integers(batch * sizes.usedExperts)
    weights = arena.floats(batch * sizes.usedExperts)
    rotary = (arena.floats(batch * sizes.rotaryPairs), arena.floats(batch * sizes.rotaryPairs))
    windowRotary = (arena.floats(batch * sizes.rotaryPairs), arena.floats(batch * sizes.rotaryPairs))
    let latent = sizes.latent
    compressedQuery = arena.columns(batch, stride: latent?.queryRank ?? 0)
    plainQueries = arena.columns(latent == nil ? 0 : batch * sizes.heads, stride: latent?.plainLength ?? 0)
    latentAttended = arena.columns(latent == nil ? 0 : batch * sizes.heads, stride: latent?.rank ?? 0)
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
    normed = arena.columns(few * sizes.fineColumns, stride: sizes.embedding)
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
