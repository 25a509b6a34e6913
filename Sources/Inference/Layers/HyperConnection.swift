// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc
import PackRuntime

/// How a part reads several residual streams as one, and how its output joins them (DeepSeek V4): manifold-constrained
/// hyper-connections (https://arxiv.org/abs/2512.24880).
///
/// A token's weights are computed from its normalised streams. They say how much of each stream the part reads, how much of its
/// output each stream takes, and how the streams are mixed with each other, by a matrix whose rows and columns nearly sum to 1.
struct HyperConnection {
  let sizes: Configuration
  /// The projection from each stream to its share of the scores, [stream][group of 16 scores][element][16].
  let matrix: Vector
  /// The factors of scores (for reading, writing and mixing), and what is added to each score.
  let scale: Vector
  let base: Vector
  /// The number of scores of a token; for the last norm, only those for reading.
  let scoreCount: Int

  /// The sizes of hyper-connections, from the metadata.
  struct Configuration: Sendable, Equatable {
    let streamCount: Int
    /// How often rows and columns of the mixing matrix are divided by their sums.
    let iterations: Int
    let epsilon: Float

    /// Reads the sizes; nil if there is one stream.
    init?(_ reader: MetadataReader, _ architecture: Architecture, embeddingLength: Int) throws(ModelError) {
      let key = Architecture.OptionalKey.streams
      guard architecture.keys.contains(key) else { return nil }
      streamCount = try reader.requiredSize(key.rawValue)
      iterations = try reader.requiredSize("hyper_connection.sinkhorn_iterations")
      epsilon = try reader.number("hyper_connection.epsilon", from: 0) ?? 1e-6
      guard (2...16).contains(streamCount), iterations <= 1000, embeddingLength <= MetadataReader.largestSize / 512 else {
        throw .badValue(
          key: reader.key(key.rawValue), value: "\(streamCount) with \(iterations) iterations, embedding_length \(embeddingLength)",
          expected: "2 to 16, at most 1000, and at most \(MetadataReader.largestSize / 512)")
      }
    }

    /// The number of a token's weights: for reading, writing, and mixing [source][target].
    var weightCount: Int { (2 + streamCount) * streamCount }
  }

  /// Binds the connection of one part, or of the last norm; nil if the model has one stream.
  ///
  /// - Parameter name: What the tensors' names begin with, before `_fn`, `_base` and `_scale`.
  init?(
    _ name: String, isLast: Bool = false, _ model: ModelConfiguration, _ binder: inout WeightBinder
  ) throws(ModelError) {
    guard let sizes = model.streams else { return nil }
    self.sizes = sizes
    scoreCount = isLast ? sizes.streamCount : sizes.weightCount
    matrix = try binder.grouped(
      "\(name)_fn.weight", columns: sizes.streamCount * model.embeddingLength, rows: scoreCount, partLength: model.embeddingLength)
    scale = try binder.vector("\(name)_scale.weight", count: isLast ? 1 : 3)
    base = try binder.vector("\(name)_base.weight", count: scoreCount)
  }

  var groupCount: Int { (scoreCount + 15) / 16 }
}

extension PassThread {
  /// Computes the weights with which this thread's tokens read and write their streams. In small steps the team's threads share the
  /// products.
  func connect(_ connection: HyperConnection) {
    guard let matrix = vector(connection.matrix) else { return }
    let (groups, length) = (connection.groupCount, pass.sizes.embedding)
    let perToken = pass.sizes.streamCount * groups
    let flat = own.column2[..<(pass.sizes.streamCount * length)]
    var normalised = -1
    let items = keepsResidual ? part(of: step.count * perToken) : tokens.lowerBound * perToken..<tokens.upperBound * perToken
    for item in items {
      let (token, number) = (item / perToken, item % perToken)
      if token != normalised {
        kernels.normalize(residual[token], weights: nil, epsilon: pass.normEpsilon, into: flat)
        normalised = token
      }
      let stream = number / groups
      kernels.products(
        flat[stream * length..<(stream + 1) * length], keys: matrix.start + number * length * 16,
        into: buffers.streamScores[token][number * 16..<(number + 1) * 16])
    }
    if keepsResidual { worker.teamBarrier() }
    for token in tokens { weigh(token, connection) }
  }

  /// Computes a token's weights from the scores of its streams.
  private func weigh(_ token: Int, _ connection: HyperConnection) {
    guard let scale = vector(connection.scale), let base = vector(connection.base) else { return }
    let (sizes, weights, scores) = (connection.sizes, connections[token], buffers.streamScores[token])
    let (count, stride) = (sizes.streamCount, connection.groupCount * 16)
    for index in 0..<connection.scoreCount {
      var sum: Float = 0
      for stream in 0..<count { sum += scores[stream * stride + index] }
      weights[index] = sum * scale[min(index / count, 2)] + base[index]
    }
    for index in 0..<count { weights[index] = logistic(weights[index]) + sizes.epsilon }
    guard connection.scoreCount > count else { return }
    for index in count..<2 * count { weights[index] = 2 * logistic(weights[index]) }
    balance(weights[(2 * count)...], sizes)
  }

  /// Makes scores [source][target] a matrix whose rows and columns nearly sum to 1.
  ///
  /// First comes the softmax of each row; then columns and rows are divided by their sums in turn (Sinkhorn and Knopp).
  private func balance(_ matrix: Row, _ sizes: HyperConnection.Configuration) {
    let (count, epsilon) = (sizes.streamCount, sizes.epsilon)
    func divide(_ place: (_ line: Int, _ index: Int) -> Int) {
      for line in 0..<count {
        var sum = epsilon
        for index in 0..<count { sum += matrix[place(line, index)] }
        for index in 0..<count { matrix[place(line, index)] /= sum }
      }
    }
    for source in 0..<count {
      let row = matrix[source * count..<(source + 1) * count]
      var greatest = row[0]
      for target in 1..<count { greatest = max(greatest, row[target]) }
      var sum: Float = 0
      for target in 0..<count {
        row[target] = Float(exp(Double(row[target] - greatest)))
        sum += row[target]
      }
      for target in 0..<count { row[target] = row[target] / sum + epsilon }
    }
    divide { $1 * count + $0 }
    for _ in 1..<sizes.iterations {
      divide { $0 * count + $1 }
      divide { $1 * count + $0 }
    }
  }

  /// Returns one token's streams as a part reads them, in this thread's second row.
  @inline(__always)
  func combine(_ token: Int) -> Row {
    let (combined, weights) = (own.column2[..<pass.sizes.embedding], connections[token])
    combined.fill(0)
    for stream in 0..<pass.sizes.streamCount {
      kernels.add(self.stream(stream, of: token), times: weights[stream], to: combined)
    }
    return combined
  }

  /// Mixes a token's streams, and adds a part's output to each of them.
  func join(_ output: Row, scale: Float, token: Int) {
    let (count, length, weights) = (pass.sizes.streamCount, pass.sizes.embedding, connections[token])
    let joined = own.column2[..<(count * length)]
    joined.fill(0)
    for target in 0..<count {
      let row = joined[target * length..<(target + 1) * length]
      kernels.add(output, times: weights[count + target] * scale, to: row)
      for source in 0..<count {
        kernels.add(stream(source, of: token), times: weights[(2 + source) * count + target], to: row)
      }
    }
    residual[token].copy(joined)
  }

  @inline(__always)
  private func stream(_ stream: Int, of token: Int) -> Row {
    residual[token][stream * pass.sizes.embedding..<(stream + 1) * pass.sizes.embedding]
  }
}
