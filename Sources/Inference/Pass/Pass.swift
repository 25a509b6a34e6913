// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc

/// One step through a model, which all threads of all teams run at the same time: plain data.
///
/// - Invariant: What it points at belongs to the `Model`, which outlives the step.
struct Pass {
  let kernels: Kernels
  let sizes: PassSizes
  let state: StateSizes
  let layers: UnsafePointer<Layer>
  let layerCount: Int
  /// The parts around the prediction layer, which is then the last of `layers`; nil: there is none.
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
  /// The limit of logits: for c > 0, they are c · tanh(logit / c); 0: none.
  let logitSoftcap: Float
  let rotations: UnsafePointer<Rotation>
  /// The addresses of each team's and each thread's buffers, and of each team's copy of all vectors.
  let teams: UnsafePointer<UnsafeMutableRawPointer>
  let threads: UnsafePointer<UnsafeMutableRawPointer>
  let vectors: UnsafePointer<UnsafeMutablePointer<Float>>
  /// The address of each layer's state, [team][layer].
  let states: UnsafePointer<UnsafeMutableRawPointer>
  /// Offsets of the outputs and of the parts' buffers in a team's memory.
  let outputOffset: Int
  let partsOffset: Int
  var step: Step
  /// Logits, [wanted][vocabulary].
  let logits: Rows
  /// Hidden states, in the same memory, [token][embedding]: a step has one or the other.
  let hidden: Rows

  /// The number of layers from a token to its logits, without the prediction layer.
  @inline(__always)
  var trunkCount: Int { prediction?.index ?? layerCount }
}

/// One of a model's rotary embeddings: plain data.
struct Rotation {
  let pairing: RotaryPairing
  /// The factor of cosines and sines.
  let magnitude: Float
  /// The number of pairs of elements that are rotated.
  let pairs: Int
  /// The angle of each pair at position 1.
  let frequencies: UnsafePointer<Double>

  /// Returns cosine and sine of a pair's angle at a position, times `magnitude`.
  @inline(__always)
  func angle(at position: Int32, pair: Int) -> (cosine: Float, sine: Float) {
    let angle = Double(position) * frequencies[pair]
    return (Float(cos(angle)) * magnitude, Float(sin(angle)) * magnitude)
  }
}
