// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A mixture that a part reads instead of the residual (Kimi K3): the current residual and the saved ones, weighted by the softmax
/// of their scores.
///
/// After every `residualPeriod` layers the residual is saved, and the next one begins with the mixer's output alone.
struct ResidualAttention {
  /// The weights of scores: a residual's score is the dot product of its normalised elements with these.
  let scores: Vector
  /// The number of residuals that were saved before this part.
  let count: Int

  /// Binds the mixture of one part, or of the last norm; nil if the model has none.
  init?(
    _ name: String, count: Int, _ model: ModelConfiguration, _ binder: inout WeightBinder
  ) throws(ModelError) {
    guard model.residualPeriod > 0 else { return nil }
    scores = try binder.vector("\(name).weight", count: model.embeddingLength)
    self.count = count
  }
}

extension PassThread {
  /// Returns one token's mixture, in this thread's second row.
  @inline(__always)
  func mix(_ token: Int, _ attention: ResidualAttention) -> Row {
    let count = attention.count
    guard count > 0 else { return residual[token] }
    let (mixed, weights) = (own.column2[..<pass.sizes.embedding], own.residualScores[..<(count + 1)])
    for index in 0...count {
      kernels.normalize(
        earlier(index, of: count, token), weights: vector(attention.scores), epsilon: pass.normEpsilon, into: mixed)
      weights[index] = mixed.sum
    }
    kernels.softmax(weights)
    mixed.fill(0)
    for index in 0...count { kernels.add(earlier(index, of: count, token), times: weights[index], to: mixed) }
    return mixed
  }

  /// Returns the saved residual `index`; if `index` is `count`, the current residual.
  @inline(__always)
  private func earlier(_ index: Int, of count: Int, _ token: Int) -> Row {
    index < count ? residuals[token * pass.sizes.residualCount + index] : residual[token]
  }

  /// Saves the residual as number `index`, and starts a new one from zero.
  func putResidualAway(_ index: Int) {
    for token in tokens {
      residuals[token * pass.sizes.residualCount + index].copy(residual[token])
      residual[token].fill(0)
    }
  }
}
