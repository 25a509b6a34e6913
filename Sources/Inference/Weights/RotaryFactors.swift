// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// What the angle of each pair of RoPE is divided by: nothing, always the same, or factors that depend on the context.
struct RotaryFactors {
  private let short: [Float]
  private let long: [Float]
  /// Contexts of more tokens use the long ones.
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

  /// One for each pair; or for as many as a whole head would have, of which the first ones count.
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

  /// Those of a model whose sequences may have so many tokens; empty: nothing.
  func of(contextLength: Int) -> [Float] { contextLength > longest ? long : short }
}
