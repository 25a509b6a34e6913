// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The divisors of RoPE's angles: none, the same for every context, or one set for short and one for long contexts.
struct RotaryFactors {
  private let short: [Float]
  private let long: [Float]
  /// The longest context, in tokens, that uses the short factors.
  private let longest: Int

  init(_ configuration: ModelConfiguration, _ binder: inout WeightBinder) throws(ModelError) {
    longest = configuration.originalContextLength
    if binder.shape("rope_freqs.weight") != nil {
      short = try Self.factors("rope_freqs.weight", configuration, &binder)
      long = short
    } else if binder.shape("rope_factors_long.weight") != nil {
      short = try Self.factors("rope_factors_short.weight", configuration, &binder)
      long = try Self.factors("rope_factors_long.weight", configuration, &binder)
    } else {
      (short, long) = ([], [])
    }
  }

  /// Reads one factor for each pair. Some files have one for each pair of a whole head, of which only the first are used.
  private static func factors(
    _ name: String, _ configuration: ModelConfiguration, _ binder: inout WeightBinder
  ) throws(ModelError) -> [Float] {
    let rotaries = configuration.rotaries.filter(\.usesFactors)
    let pairs = (rotaries.map(\.dimensions).max() ?? 0) / 2
    let whole = (rotaries.map(\.headLength).max() ?? 0) / 2
    let shape = binder.shape(name)
    let values = try binder.vector(name, count: shape?.columns == whole ? whole : pairs)
    let factors = binder.values(values)
    for factor in factors where !(factor.isFinite && factor > 0) {
      throw .badValue(key: name, value: "\(factor)", expected: "positive numbers")
    }
    return factors
  }

  /// Returns the factors for a model with sequences of up to `contextLength` tokens; empty: angles are not divided.
  func of(contextLength: Int) -> [Float] { contextLength > longest ? long : short }
}
