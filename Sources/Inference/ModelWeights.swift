// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels
import GGUF
import PackFormat
import PackRuntime

/// Finds a model's tensors, holds their shapes against the metadata, and chooses their kernels.
struct WeightBinder {
  let table: WeightTable
  let kernels: UnsafePointer<ck_table>
  let teamCount: Int
  /// Whether the weights are in memory; else only their shapes are looked at.
  let readsWeights: Bool
  /// All vectors one after another; each team gets a copy. Empty where the weights are not read.
  private(set) var vectors: [Float] = []
  /// Elements of all vectors.
  private(set) var vectorLength = 0

  init(_ table: WeightTable, kernels: UnsafePointer<ck_table>, teamCount: Int, readsWeights: Bool = true) {
    self.readsWeights = readsWeights
    self.table = table
    self.kernels = kernels
    self.teamCount = teamCount
  }

  /// The matrix `name` of that shape, or nil where the model has none.
  func find(_ name: String, columns: Int, rows: Int, experts: Int = 1) throws(ModelError) -> Matrix? {
    guard let weight = find(name) else { return nil }
    guard weight.columns == columns, weight.rows == rows, weight.experts == experts else {
      func shape(_ sizes: [Int]) -> [Int] { experts == 1 && weight.experts == 1 ? Array(sizes.prefix(2)) : sizes }
      throw .wrongShape(
        name: name, shape: shape([weight.columns, weight.rows, weight.experts]), expected: shape([columns, rows, experts]))
    }
    return try matrix(name, weight)
  }

  /// The matrix `name` with its bias, where there is one.
  mutating func require(
    _ name: String, columns: Int, rows: Int, experts: Int = 1, needsBias: Bool = false
  ) throws(ModelError) -> Matrix {
    guard var matrix = try find("\(name).weight", columns: columns, rows: rows, experts: experts) else {
      throw .missingTensor(name: "\(name).weight")
    }
    matrix.bias = try vector("\(name).bias", count: rows * experts, required: needsBias)
    return matrix
  }

  /// The vector (or small matrix, row by row) `name`, or none.
  mutating func vector(_ name: String, count: Int, required: Bool = true) throws(ModelError) -> Vector {
    guard let weight = find(name) else {
      if required { throw .missingTensor(name: name) }
      return .none
    }
    guard weight.columns * weight.rows * weight.experts == count else {
      throw .wrongShape(name: name, shape: [weight.columns, weight.rows, weight.experts], expected: [count])
    }
    let matrix = try matrix(name, weight)
    // Each vector starts at a multiple of 64 bytes.
    let offset = (vectorLength + 15) / 16 * 16
    vectorLength = offset + count
    guard readsWeights else { return Vector(offset: offset) }
    vectors.append(contentsOf: repeatElement(0, count: offset - vectors.count + count))
    let (slices, kernels) = (0..<sliceCount(weight), kernels)
    vectors.withUnsafeMutableBufferPointer { all in
      guard let base = all.baseAddress else { return }
      for row in 0..<weight.rows * weight.experts {
        matrix.dequantize(
          row: row % weight.rows, expert: row / weight.rows, slices: slices, kernels, into: base + offset + row * weight.columns)
      }
    }
    return Vector(offset: offset)
  }

  /// The values of a vector found by `vector`; none where the weights are not read.
  func values(_ vector: Vector, count: Int) -> [Float] {
    vector.isPresent && readsWeights ? Array(vectors[vector.offset..<vector.offset + count]) : []
  }

  func sliceCount(_ weight: Weight) -> Int { Int(weight.teamStarts[teamCount]) }

  func find(_ name: String) -> Weight? { table.weight(name) }

  private func matrix(_ name: String, _ weight: Weight) throws(ModelError) -> Matrix {
    guard let type = WeightType(rawValue: weight.type), let rowByteCount = type.byteCount(elements: weight.columns) else {
      throw .noKernel(name: name, type: "\(weight.type)")
    }
    let form = InterleavedForm(type)
    let index = Int(weight.type)
    let interleaved = Self.entry(kernels.pointee.matmul16, index, of: ck_matmul_function?.self) ?? nil
    let plain = Self.entry(kernels.pointee.matmul_plain, index, of: ck_matmul_function?.self) ?? nil
    let readsQuants = Self.entry(kernels.pointee.reads_q8, index, of: UInt8.self) ?? 0 != 0
    var matrix = Matrix(
      weight: weight, groupByteCount: form?.groupByteCount(blocks: weight.columns / type.blockElements) ?? 0,
      rowByteCount: rowByteCount, interleavedKernel: interleaved, plainKernel: plain, readsQuants: false, readsFloats: false,
      isCutAt32: true)
    for index in 0..<sliceCount(weight) {
      let slice = weight.slices[index]
      guard (slice.isInterleaved ? interleaved : plain) != nil else { throw .noKernel(name: name, type: type.name) }
      if slice.isInterleaved, readsQuants { matrix.readsQuants = true } else { matrix.readsFloats = true }
      if slice.rowBegin % 32 != 0 { matrix.isCutAt32 = false }
    }
    return matrix
  }

  /// Element `index` of a C array, which Swift sees as a tuple.
  private static func entry<Table, Element>(_ table: Table, _ index: Int, of type: Element.Type) -> Element? {
    withUnsafeBytes(of: table) { bytes in
      let offset = index * MemoryLayout<Element>.stride
      return offset + MemoryLayout<Element>.size <= bytes.count ? bytes.load(fromByteOffset: offset, as: type) : nil
    }
  }
}

/// All weights of a model.
struct ModelWeights {
  var embedding: Matrix
  var layers: [Layer]
  var outputNorm: Vector
  /// The embedding's matrix again where the model has none of its own.
  var output: Matrix
  /// What each pair's angle is divided by; empty: nothing.
  var rotaryFactors: [Float]
  var vocabularySize: Int

  init(_ configuration: ModelConfiguration, _ binder: inout WeightBinder) throws(ModelError) {
    let length = configuration.embeddingLength
    let vocabulary = try Self.vocabularySize(binder)
    vocabularySize = vocabulary
    guard let embedding = try binder.find("token_embd.weight", columns: length, rows: vocabulary) else {
      throw .missingTensor(name: "token_embd.weight")
    }
    self.embedding = embedding
    outputNorm = try binder.vector("output_norm.weight", count: length)
    output = try binder.find("output.weight", columns: length, rows: vocabulary) ?? embedding
    output.bias = try binder.vector("output.bias", count: vocabulary, required: false)
    let factors = try binder.vector("rope_freqs.weight", count: configuration.rotary.dimensions / 2, required: false)
    rotaryFactors = binder.values(factors, count: configuration.rotary.dimensions / 2)
    for factor in rotaryFactors where !(factor.isFinite && factor > 0) {
      throw .badValue(key: "rope_freqs.weight", value: "\(factor)", expected: "positive numbers")
    }
    layers = []
    for index in 0..<configuration.layerCount {
      layers.append(try Layer(configuration, index, &binder))
    }
  }

  /// Rows of the embedding.
  private static func vocabularySize(_ binder: WeightBinder) throws(ModelError) -> Int {
    guard let weight = binder.find("token_embd.weight") else { throw .missingTensor(name: "token_embd.weight") }
    return weight.rows
  }
}

extension Layer {
  init(_ configuration: ModelConfiguration, _ index: Int, _ binder: inout WeightBinder) throws(ModelError) {
    let (traits, length, prefix) = (configuration.traits, configuration.embeddingLength, "blk.\(index)")
    shape = configuration.layers[index]
    attentionNorm = try binder.vector("\(prefix).attn_norm.weight", count: length)
    if let latent = configuration.latent {
      attention = try AttentionWeights(latent, shape, length: length, prefix, &binder)
    } else {
      attention = try AttentionWeights(configuration, shape, prefix, &binder)
    }
    attentionPostNorm = .none
    feedForwardPostNorm = .none
    if traits.normalisesOutputs {
      attentionPostNorm = try binder.vector("\(prefix).post_attention_norm.weight", count: length)
      feedForwardPostNorm = try binder.vector("\(prefix).post_ffw_norm.weight", count: length)
    }
    let norm = traits.feedForwardNormIsPostAttention ? "post_attention_norm" : "ffn_norm"
    feedForwardNorm = try binder.vector("\(prefix).\(norm).weight", count: length)
    feedForward = try FeedForwardWeights(configuration, shape, prefix, &binder)
  }
}

extension AttentionWeights {
  init(
    _ configuration: ModelConfiguration, _ shape: LayerConfiguration, _ prefix: String, _ binder: inout WeightBinder
  ) throws(ModelError) {
    let (traits, length) = (configuration.traits, configuration.embeddingLength)
    let (queries, keys) = (shape.headCount * shape.keyLength, shape.keyValueHeadCount * shape.keyLength)
    let values = shape.keyValueHeadCount * shape.valueLength
    let needsBias = traits.expectsQKVBias
    query = try binder.require("\(prefix).attn_q", columns: length, rows: queries, needsBias: needsBias)
    key = try binder.require("\(prefix).attn_k", columns: length, rows: keys, needsBias: needsBias)
    value = try binder.require("\(prefix).attn_v", columns: length, rows: values, needsBias: needsBias)
    output = try binder.require("\(prefix).attn_output", columns: shape.headCount * shape.valueLength, rows: length)
    sinks = try binder.vector("\(prefix).attn_sinks.weight", count: shape.headCount, required: traits.hasSinks)
    let isWhole = traits.queryKeyNorm == .wholeProjection
    let required = traits.queryKeyNorm != .none
    queryNorm = try binder.vector("\(prefix).attn_q_norm.weight", count: isWhole ? queries : shape.keyLength, required: required)
    keyNorm = try binder.vector("\(prefix).attn_k_norm.weight", count: isWhole ? keys : shape.keyLength, required: required)
    // A model may have these norms without its architecture asking for them (GLM 4.5).
    norm = isWhole ? .wholeProjection : queryNorm.isPresent && keyNorm.isPresent ? .perHead : .none
    latent = nil
  }

  /// MLA.
  init(
    _ latent: LatentConfiguration, _ shape: LayerConfiguration, length: Int, _ prefix: String, _ binder: inout WeightBinder
  ) throws(ModelError) {
    let queries = shape.headCount * latent.queryLength
    var weights = LatentWeights(
      queryCompress: nil, queryNorm: .none,
      compress: try binder.require("\(prefix).attn_kv_a_mqa", columns: length, rows: latent.cachedLength),
      norm: try binder.vector("\(prefix).attn_kv_a_norm.weight", count: latent.rank),
      keyExpand: try binder.require(
        "\(prefix).attn_k_b", columns: latent.plainLength, rows: latent.rank, experts: shape.headCount),
      valueExpand: try binder.require(
        "\(prefix).attn_v_b", columns: latent.rank, rows: latent.valueLength, experts: shape.headCount))
    if latent.queryRank > 0 {
      weights.queryCompress = try binder.require("\(prefix).attn_q_a", columns: length, rows: latent.queryRank)
      weights.queryNorm = try binder.vector("\(prefix).attn_q_a_norm.weight", count: latent.queryRank)
      query = try binder.require("\(prefix).attn_q_b", columns: latent.queryRank, rows: queries)
    } else {
      query = try binder.require("\(prefix).attn_q", columns: length, rows: queries)
    }
    output = try binder.require("\(prefix).attn_output", columns: shape.headCount * latent.valueLength, rows: length)
    (key, value, queryNorm, keyNorm, norm, sinks) = (nil, nil, .none, .none, .none, .none)
    self.latent = weights
  }
}

extension FeedForwardWeights {
  init(
    _ configuration: ModelConfiguration, _ shape: LayerConfiguration, _ prefix: String, _ binder: inout WeightBinder
  ) throws(ModelError) {
    let length = configuration.embeddingLength
    (router, experts, dense, selectionBias) = (nil, nil, nil, .none)
    guard shape.hasExperts, let mixture = configuration.experts else {
      dense = try GatedWeights(prefix, "", length: length, hidden: shape.feedForwardLength, experts: 1, &binder)
      return
    }
    router = try binder.require("\(prefix).ffn_gate_inp", columns: length, rows: mixture.count)
    selectionBias = try binder.vector("\(prefix).exp_probs_b.bias", count: mixture.count, required: false)
    experts = try GatedWeights(
      prefix, "_exps", length: length, hidden: mixture.feedForwardLength, experts: mixture.count, &binder)
    if mixture.sharedFeedForwardLength > 0 {
      dense = try GatedWeights(prefix, "_shexp", length: length, hidden: mixture.sharedFeedForwardLength, experts: 1, &binder)
    }
  }
}

extension GatedWeights {
  init(
    _ prefix: String, _ suffix: String, length: Int, hidden: Int, experts: Int, _ binder: inout WeightBinder
  ) throws(ModelError) {
    gate = try binder.require("\(prefix).ffn_gate\(suffix)", columns: length, rows: hidden, experts: experts)
    up = try binder.require("\(prefix).ffn_up\(suffix)", columns: length, rows: hidden, experts: experts)
    down = try binder.require("\(prefix).ffn_down\(suffix)", columns: hidden, rows: length, experts: experts)
    try GatedWeights.checkSameCuts(gate, up, "\(prefix).ffn_up\(suffix).weight", teams: binder.teamCount)
  }

  /// Rows of gate and up meet in one activation, so a team must hold the same of both.
  private static func checkSameCuts(_ gate: Matrix, _ up: Matrix, _ name: String, teams: Int) throws(ModelError) {
    func rows(_ matrix: Matrix, _ team: Int) -> [Range<Int>] {
      var ranges: [Range<Int>] = []
      for index in Int(matrix.weight.teamStarts[team])..<Int(matrix.weight.teamStarts[team + 1]) {
        let slice = matrix.weight.slices[index]
        let range = slice.rowBegin..<slice.rowBegin + slice.rowCount
        if let last = ranges.last, last.upperBound == range.lowerBound {
          ranges[ranges.count - 1] = last.lowerBound..<range.upperBound
        } else {
          ranges.append(range)
        }
      }
      return ranges
    }
    for team in 0..<teams where rows(gate, team) != rows(up, team) {
      throw .badDivision(name: name)
    }
  }
}
