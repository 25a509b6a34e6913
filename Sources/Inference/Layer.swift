// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// One layer's weights and sizes: plain data, read by every thread.
struct Layer {
  var shape: LayerConfiguration
  var attentionNorm: Vector
  var attention: AttentionWeights
  /// Norm of the attention's output, before it joins the residual.
  var attentionPostNorm: Vector
  var feedForwardNorm: Vector
  var feedForward: FeedForwardWeights
  var feedForwardPostNorm: Vector
}

/// The projections of attention.
struct AttentionWeights {
  /// Queries, keys and values; of MLA the (expanded) queries only.
  var query: Matrix
  var key: Matrix?
  var value: Matrix?
  var output: Matrix
  var queryNorm: Vector
  var keyNorm: Vector
  var norm: QueryKeyNorm
  /// One logit for each head that takes part in the softmax and attends to nothing.
  var sinks: Vector
  var latent: LatentWeights?

  /// Whether some of the products that read the normalised residual read it as it is.
  var readsFloats: Bool {
    let matrices = latent.map { [$0.queryCompress ?? query, $0.compress] } ?? [query, key, value].compactMap { $0 }
    return matrices.contains(where: \.readsFloats)
  }

  /// Whether whoever attends with a head hands its output on quantised.
  func publishesQuants(_ shape: LayerConfiguration) -> Bool {
    latent == nil && output.readsQuants && shape.valueLength % 32 == 0
  }

  /// Whether whoever attends with a head hands its output on as it is.
  func publishesFloats(_ shape: LayerConfiguration) -> Bool { !publishesQuants(shape) || output.readsFloats }
}

/// What MLA has besides.
struct LatentWeights {
  /// Compresses queries; nil where they are projected directly.
  var queryCompress: Matrix?
  var queryNorm: Vector
  /// To the compressed vector and the rotated part of the key.
  var compress: Matrix
  var norm: Vector
  /// For each head, from the plain part of its query to a query of the compressed vector.
  var keyExpand: Matrix
  /// For each head, from the compressed vector to its value.
  var valueExpand: Matrix
}

/// A dense network, a mixture of experts, or the latter with a shared expert.
struct FeedForwardWeights {
  /// The dense network, or the shared expert.
  var dense: GatedWeights?
  var router: Matrix?
  /// Added to the experts' scores for choosing them, not for weighing them.
  var selectionBias: Vector
  /// Stacked; biases are one row for each expert.
  var experts: GatedWeights?

  /// Whether some product reads the quantised residual.
  var readsQuants: Bool { isRead { $0.readsQuants } }

  /// Whether some product reads the residual as it is.
  var readsFloats: Bool { isRead { $0.readsFloats } }

  /// Whether some product of the residual reads it in the way that `reads` asks for.
  @inline(__always)
  private func isRead(_ reads: (Matrix) -> Bool) -> Bool {
    func isRead(by network: GatedWeights?) -> Bool { network.map { reads($0.gate) || reads($0.up) } ?? false }
    return isRead(by: dense) || isRead(by: experts) || router.map(reads) ?? false
  }
}

/// down(activation(gate(x), up(x)))
struct GatedWeights {
  var gate: Matrix
  var up: Matrix
  var down: Matrix

  /// Whether whoever computes rows of gate and up hands them on quantised: where cuts between teams run through a block of 32,
  /// nobody has all of the block.
  var publishesQuants: Bool { down.readsQuants && gate.isCutAt32 && up.isCutAt32 && gate.rows % 32 == 0 }

  /// Whether whoever computes rows of gate and up hands them on as they are.
  var publishesFloats: Bool { !publishesQuants || down.readsFloats }
}
