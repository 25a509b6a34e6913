// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF

/// The most multiply-adds per cycle that a 16-row kernel could reach.
///
/// On x86 CPUs of the last ten years two units multiply, so two multiplying instructions run per cycle, whatever they multiply. This counts
/// those that the canonical arithmetic needs for 32 elements of 16 rows and one column. Loads, additions and conversions are assumed to run
/// in parallel.
enum Limit {
  /// Returns the limit; nil for instruction sets whose units are not known.
  static func multiplyAddsPerCycle(_ type: WeightType, _ isa: String) -> Double? {
    let registers: Double
    switch isa {
    case "avx512", "avx512vnni", "avx512vbmi": registers = 1
    case "avx2", "avxvnni": registers = 2
    default: return nil
    }
    // An fma for each element of 16 rows.
    if type.blockElements == 1 { return 2 * 16 / registers }
    let hasDot = isa.hasSuffix("vnni") || isa == "avx512vbmi"
    return 2 * 512 / (registers * (hasDot ? dots(type) : pairs(type)))
  }

  /// Counts an fma for scale * da and one for the sum, and an fma for the min, or two if every 16 elements have a min.
  private static func floats(_ type: WeightType) -> Double {
    switch type {
    case .q4_1, .q5_1, .q4_K, .q5_K: 3
    case .q2_K: 4
    default: 2
    }
  }

  /// The types of ik_llama.cpp with a scale for every 16 elements, and those that need eight bits.
  private static let forkScales: Set<String> = ["IQ2_K", "IQ3_K", "IQ4_K", "IQ5_K", "IQ6_K"]
  private static let forkBytes: Set<String> = [
    "IQ3_K", "IQ4_K", "IQ5_K", "IQ6_K", "IQ3_KS", "IQ4_KS", "IQ5_KS", "IQ4_KSS", "IQ2_KL", "IQ1_KT", "IQ2_KT", "IQ3_KT", "IQ4_KT",
  ]

  /// Eight vpdpbusd; a multiplication and an fma in addition if every 16 elements have a scale.
  private static func dots(_ type: WeightType) -> Double {
    let hasSubScales = [.q2_K, .q3_K, .q6_K, .iq2_xs, .iq2_s, .iq1_m, .nvfp4].contains(type) || forkScales.contains(type.base.name)
    return 8 + floats(type.base) + (hasSubScales ? 2 : 0)
  }

  /// Eight vpmaddubsw, and a vpmaddwd after as many lines as fit 16 bits, whose sums start from the correction of the offset.
  private static func pairs(_ type: WeightType) -> Double {
    let folds: Double
    switch type.base {
    case .q8_0, .iq4_nl, .iq4_xs: folds = 8
    case let base where forkBytes.contains(base.name): folds = 8
    case let base where ["Q6_0", "IQ2_K", "IQ2_KS"].contains(base.name): folds = 2
    case .iq2_xxs, .iq2_xs, .iq2_s, .iq3_xxs, .iq3_s: folds = 4
    case .nvfp4: folds = 4  // two of them to apply the scales as floats
    case .q2_K, .q3_K, .q6_K, .q5_1, .q5_K, .iq1_m: folds = 2
    default: folds = 1
    }
    return 8 + folds + floats(type.base)
  }
}
