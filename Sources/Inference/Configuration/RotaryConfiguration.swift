// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc

/// A rotary position embedding: the angles by which pairs of elements are rotated at each position.
///
/// Pair i of d/2 is rotated by position · base^(-2i/d). For long contexts the angles are stretched as the model was trained:
/// linearly, or by YaRN (https://arxiv.org/abs/2309.00071), which interpolates only the slow pairs and scales the result by
/// `magnitude`.
struct RotaryConfiguration: Sendable, Equatable {
  /// The number of elements of a head that are rotated; even.
  var dimensions: Int
  var pairing: RotaryPairing
  /// The base of the angles' powers, more than 1.
  var base: Float
  /// The factor of positions for interpolated pairs; at most 1 for a longer context.
  var scale: Float = 1
  /// How YaRN interpolates; nil: all pairs are interpolated alike.
  var yarn: Yarn?
  /// The factor of cosines and sines.
  var magnitude: Float = 1
  /// A factor of scores in addition to 1 / √(key length).
  var scoreFactor: Float = 1
  /// The length of a head, including elements that are not rotated.
  var headLength: Int
  /// Whether angles are divided by the model's factors (`rope_freqs`).
  var usesFactors = true

  /// The parameters of YaRN. Pairs that turn more than `fastRotations` times in the original context are not interpolated, and
  /// those that turn less than `slowRotations` times fully.
  struct Yarn: Sendable, Equatable {
    var originalContextLength: Int
    var fastRotations: Float
    var slowRotations: Float
  }

  /// Reads the embedding of the layers with a window, or of those without.
  init(
    _ reader: MetadataReader, _ architecture: Architecture, headLength: Int, hasWindow: Bool
  ) throws(ModelError) {
    self.headLength = headLength
    let own = hasWindow ? try reader.size("rope.dimension_count_swa") : nil
    let divisor = hasWindow ? 1 : architecture.fullRotaryDivisor
    let named = try reader.size("rope.dimension_count")
    dimensions = own ?? named ?? headLength / divisor
    guard dimensions > 0, dimensions <= headLength, dimensions % 2 == 0 else {
      throw .badValue(
        key: reader.key("rope.dimension_count"), value: "\(dimensions)", expected: "an even number up to \(headLength)")
    }
    let sections = reader.metadata.integers(reader.key("rope.dimension_sections")) ?? []
    pairing = architecture.sectionsPairHalves && sections.contains { $0 != 0 } ? .halves : architecture.pairing
    // In some models the factors are only for layers without a window.
    usesFactors = !hasWindow || !architecture.windowRotaryIgnoresFactors
    base = try reader.number("rope.freq_base") ?? 10_000
    guard base > 1 else { throw .badValue(key: reader.key("rope.freq_base"), value: "\(base)", expected: "more than 1") }
    try stretch(reader, architecture)
    if hasWindow { try shrinkToWindow(reader, architecture) }
  }

  /// Reads how the embedding is stretched to contexts longer than the model was first trained on.
  private mutating func stretch(_ reader: MetadataReader, _ architecture: Architecture) throws(ModelError) {
    let oldFactor = try reader.number("rope.scale_linear")
    let factor = try reader.number("rope.scaling.factor") ?? oldFactor ?? 1
    let kind = try reader.text("rope.scaling.type") ?? "linear"
    // 0 means none. Smaller factors would stretch positions beyond any use.
    guard factor == 0 || factor >= 1e-6 else {
      throw .badValue(key: reader.key("rope.scaling.factor"), value: "\(factor)", expected: "0, or at least 0.000001")
    }
    switch kind {
    case "none": break
    case "linear": scale = factor == 0 ? 1 : 1 / factor
    case "yarn":
      scale = factor == 0 ? 1 : 1 / factor
      let contextLength = try reader.requiredSize("context_length")
      yarn = Yarn(
        originalContextLength: try reader.size("rope.scaling.original_context_length") ?? contextLength,
        fastRotations: try reader.number("rope.scaling.yarn_beta_fast") ?? 32,
        slowRotations: try reader.number("rope.scaling.yarn_beta_slow") ?? 1)
      try setYarnMagnitude(reader, scalesScores: architecture.mixers == .latent || architecture.mixers == .kimiDeltaNets)
    default:
      throw .badValue(key: reader.key("rope.scaling.type"), value: kind, expected: "none, linear or yarn")
    }
    magnitude *= try reader.number("rope.scaling.attn_factor") ?? 1
  }

  /// Sets `magnitude` and `scoreFactor` for YaRN.
  ///
  /// YaRN multiplies the magnitude by 1 + 0.1 ln(factor). DeepSeek's models scale the scores instead, by an amount that follows
  /// from `mscale_all_dim`, which the file holds multiplied by 0.1.
  private mutating func setYarnMagnitude(_ reader: MetadataReader, scalesScores: Bool) throws(ModelError) {
    let logarithm = scale < 1 ? logf(1 / scale) : 0
    magnitude = 1 + 0.1 * logarithm
    // Some files also name the magnitude that follows from the factor. A different value is not supported.
    if let named = try reader.number("rope.scaling.yarn_attn_factor"), named != 1, abs(named - magnitude) > 1e-4 {
      throw .unsupportedKey(key: reader.key("rope.scaling.yarn_attn_factor"), value: "\(named)")
    }
    let multiplier = try reader.number("rope.scaling.yarn_log_multiplier") ?? 0
    if scalesScores {
      let factor = multiplier == 0 ? magnitude : 1 + multiplier * logarithm
      scoreFactor = factor * factor
      if multiplier != 0 { magnitude = 1 }
    } else if multiplier != 0 {
      magnitude /= 1 + 0.1 * multiplier * logarithm
    }
  }

  /// Changes the embedding to that of layers with a window, which have their own base in some models.
  private mutating func shrinkToWindow(_ reader: MetadataReader, _ architecture: Architecture) throws(ModelError) {
    if let own = try reader.number("rope.freq_base_swa") ?? architecture.windowRotaryBase {
      guard own > 1 else { throw .badValue(key: reader.key("rope.freq_base_swa"), value: "\(own)", expected: "more than 1") }
      base = own
    }
    // These layers see only a short range, for which RoPE was never stretched.
    if architecture.windowRotaryIsPlain { (scale, yarn, magnitude) = (1, nil, 1) }
  }

  /// Returns the angle of each pair at position 1, in radians.
  ///
  /// - Parameter factors: What each pair's angle is divided by (Llama 3's `rope_freqs`); empty: nothing.
  func frequencies(factors: [Float]) -> [Double] {
    let count = Double(dimensions)
    func pairTurning(_ rotations: Float, _ context: Int) -> Double {
      count * log(Double(context) / (Double(rotations) * 2 * .pi)) / (2 * log(Double(base)))
    }
    return (0..<dimensions / 2).map { pair in
      let plain = pow(Double(base), -2 * Double(pair) / count) / (pair < factors.count ? Double(factors[pair]) : 1)
      guard let yarn else { return plain * Double(scale) }
      let low = max(0, pairTurning(yarn.fastRotations, yarn.originalContextLength).rounded(.down))
      let high = min(count - 1, pairTurning(yarn.slowRotations, yarn.originalContextLength).rounded(.up))
      let ramp = min(1, max(0, (Double(pair) - low) / max(0.001, high - low)))
      return plain * (Double(scale) * ramp + (1 - ramp))
    }
  }
}
