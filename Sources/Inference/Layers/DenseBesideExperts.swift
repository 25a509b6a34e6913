// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackRuntime

/// A dense network and experts that read the same residual, each with a norm before and after it. The output is their sum.
struct DenseBesideExperts: LayerPart {
  let dense: GatedNetwork
  let denseOutputNorm: Vector
  let expertNorm: Norm
  let experts: Mixture
  let expertOutputNorm: Vector

  init(
    _ dense: GatedNetwork.Configuration, _ experts: Mixture.Configuration, _ model: ModelConfiguration, _ prefix: String,
    _ binder: inout WeightBinder
  ) throws(ModelError) {
    self.dense = try GatedNetwork(dense, model, "\(prefix)ffn", &binder)
    denseOutputNorm = try binder.vector("\(prefix)post_ffw_norm_1.weight", count: model.embeddingLength)
    expertNorm = try Norm("\(prefix)pre_ffw_norm_2.weight", model, &binder)
    self.experts = try Mixture(experts, model, prefix, &binder)
    expertOutputNorm = try binder.vector("\(prefix)post_ffw_norm_2.weight", count: model.embeddingLength)
    guard !self.dense.outputBias.isPresent, !self.experts.outputBias.isPresent else {
      throw .unusedTensor(name: "\(prefix)ffn_down.bias")
    }
  }

  var readsQuants: Bool { dense.readsQuants || experts.readsQuants }
  var readsFloats: Bool { dense.readsFloats || experts.readsFloats }
  var outputBias: Vector { .none }
  var longestRow: Int { max(dense.longestRow, experts.longestRow) }

  func takeRoom(_ room: inout TeamRoom, _ sizes: PassSizes) {
    dense.takeRoom(&room, sizes)
    experts.takeRoom(&room, sizes)
  }

  func takeScratch(_ arena: inout Arena, _ sizes: PassSizes) {
    _ = arena.rows(min(sizes.batch, PassSizes.tokensPerThread), length: sizes.embedding)
    dense.takeScratch(&arena, sizes)
    experts.takeScratch(&arena, sizes)
  }
}

extension PassThread {
  /// Runs both networks of a layer, from the residual to the residual.
  func run(_ both: DenseBesideExperts, _ norm: Norm, outputNorm: Vector, scale: Float) {
    var inner = self
    // Holds the dense network's outputs if this thread keeps the residual. They need their own memory, because they are read after
    // the experts' last barrier, when other teams may already write to the room of the next part.
    let own = inner.scratch.rows(min(pass.sizes.batch, PassSizes.tokensPerThread), length: pass.sizes.embedding)
    inner.scratch = inner.scratch.rest
    let outputs = keepsResidual ? own : buffers.sideOutputs

    normalize(norm, quantizing: both.dense.readsQuants)
    GatedNetworkStep(inner, both.dense).run()
    for token in tokens {
      kernels.normalize(
        buffers.projected[token], weights: vector(both.denseOutputNorm), epsilon: pass.normEpsilon, into: outputs[token])
    }
    normalize(both.expertNorm, quantizing: both.experts.readsQuants)
    MixtureStep(inner, both.experts).run()
    let sum = self.own.column[..<pass.sizes.embedding]
    for token in tokens {
      kernels.normalize(buffers.projected[token], weights: vector(both.expertOutputNorm), epsilon: pass.normEpsilon, into: sum)
      kernels.add(sum, outputs[token], into: sum)
      if let norm = vector(outputNorm) { kernels.normalize(sum, weights: norm, epsilon: pass.normEpsilon, into: sum) }
      kernels.add(sum, times: scale, to: residual[token])
    }
  }
}
