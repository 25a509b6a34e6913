// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc

/// One step through a model, as all threads of all teams run it at the same time: plain data.
///
/// - Invariant: what it points at belongs to the `Model`, which outlives the step.
struct Pass {
  let kernels: Kernels
  let sizes: PassSizes
  let state: StateSizes
  let layers: UnsafePointer<Layer>
  let layerCount: Int
  /// Stands around the last of these layers, which follows those from a token to its logits; nil: there is no such layer.
  let prediction: PredictionLayer?
  let embedding: Matrix
  let layerInputs: LayerInputSource?
  let outputMixture: ResidualAttention?
  let outputConnection: HyperConnection?
  let outputNorm: Norm
  let output: Matrix
  let embeddingScale: Float
  let normEpsilon: Float
  let logitScale: Float
  /// 0: none; c: logits are c · tanh(logit / c).
  let logitSoftcap: Float
  let rotations: UnsafePointer<Rotation>
  /// Where each team's and each thread's buffers begin, and each team's copy of all vectors.
  let teams: UnsafePointer<UnsafeMutableRawPointer>
  let threads: UnsafePointer<UnsafeMutableRawPointer>
  let vectors: UnsafePointer<UnsafeMutablePointer<Float>>
  /// Where each layer's state begins [team][layer].
  let states: UnsafePointer<UnsafeMutableRawPointer>
  /// Where the outputs and the parts' buffers begin among a team's.
  let outputOffset: Int
  let partsOffset: Int
  var step: Step
  /// [wanted][vocabulary]
  let logits: Rows
  /// Hidden states in the same place [token][embedding]: a step has either.
  let hidden: Rows

  /// Layers from a token to its logits.
  @inline(__always)
  var trunkCount: Int { prediction?.index ?? layerCount }
}

/// One of a model's rotary embeddings: plain data.
struct Rotation {
  let pairing: RotaryPairing
  /// What cosines and sines are multiplied by.
  let magnitude: Float
  /// Pairs of elements that turn.
  let pairs: Int
  /// Angles at position 1.
  let frequencies: UnsafePointer<Double>

  /// Cosine and sine of a pair's angle at a position.
  @inline(__always)
  func angle(at position: Int32, pair: Int) -> (cosine: Float, sine: Float) {
    let angle = Double(position) * frequencies[pair]
    return (Float(cos(angle)) * magnitude, Float(sin(angle)) * magnitude)
  }
}
