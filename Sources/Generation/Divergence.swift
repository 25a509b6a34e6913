// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc

/// Measures how well logits predict, and how far two models' predictions are apart.
public enum Prediction {
  /// Natural logarithms of the probabilities that `logits` stand for.
  public static func logProbabilities(_ logits: UnsafeBufferPointer<Float>) -> [Double] {
    let largest = Double(logits.max() ?? 0)
    var sum = 0.0
    for value in logits { sum += exp(Double(value) - largest) }
    let shift = largest + log(sum)
    return logits.map { Double($0) - shift }
  }

  /// Kullback-Leibler divergence of `q` from the truth `p`, both natural logarithms of probabilities over the same tokens.
  public static func divergence(_ p: [Double], _ q: [Double]) -> Double {
    var sum = 0.0
    for (p, q) in zip(p, q) where p > -.infinity { sum += exp(p) * (p - q) }
    return sum
  }
}

/// Mean of a stream of values and the standard error of it.
public struct MeanWithError: Sendable {
  /// Values so far.
  public private(set) var count = 0
  private var sum = 0.0
  private var squares = 0.0

  /// No value yet.
  public init() {}

  /// Takes one more value.
  public mutating func add(_ value: Double) {
    count += 1
    sum += value
    squares += value * value
  }

  /// Their mean, 0 where there is none.
  public var mean: Double { count == 0 ? 0 : sum / Double(count) }

  /// Standard deviation of the values (of a sample), 0 for fewer than two.
  public var deviation: Double {
    guard count > 1 else { return 0 }
    return max(0, (squares - sum * sum / Double(count)) / Double(count - 1)).squareRoot()
  }

  /// Standard error of the mean.
  public var error: Double { count == 0 ? 0 : deviation / Double(count).squareRoot() }
}
