// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc

/// A prediction of the next token: the natural logarithm of each token's probability.
public struct LogProbabilities: Sendable {
  /// One value for each token, at most 0; minus infinity for a token that cannot come.
  public let values: [Double]

  /// Makes the prediction that logits stand for: the logarithm of their softmax, in double precision.
  ///
  /// - Complexity: O(vocabulary).
  public init(_ logits: Span<Float>) {
    var largest = logits.isEmpty ? 0 : logits[0]
    for index in logits.indices where logits[index] > largest { largest = logits[index] }
    var sum = 0.0
    for index in logits.indices { sum += exp(Double(logits[index]) - Double(largest)) }
    let shift = Double(largest) + log(sum)
    values = logits.indices.map { Double(logits[$0]) - shift }
  }

  /// Makes a prediction from its logarithms.
  public init(values: [Double]) { self.values = values }

  /// The logarithm of one token's probability.
  ///
  /// - Precondition: `0 <= token < values.count`.
  public subscript(token: Int) -> Double { values[token] }

  /// Returns the Kullback-Leibler divergence of this prediction from the true one, in nats.
  ///
  /// - Parameter truth: A prediction over the same tokens.
  public func divergence(from truth: LogProbabilities) -> Double {
    var sum = 0.0
    for (p, q) in zip(truth.values, values) where p > -.infinity { sum += exp(p) * (p - q) }
    return sum
  }
}
