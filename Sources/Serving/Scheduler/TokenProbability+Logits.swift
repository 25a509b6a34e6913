// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc

extension TokenProbability {
  /// Returns the probability of the chosen token, and the likeliest tokens at its place, likeliest first.
  ///
  /// - Complexity: O(vocabulary) for a small `count`, in three passes over the logits.
  static func predictions(
    _ logits: Span<Float>, chosen: Int32, likeliest count: Int
  ) -> (chosen: TokenProbability, likeliest: [TokenProbability]) {
    var largest = -Float.infinity
    for index in logits.indices where logits[index] > largest { largest = logits[index] }
    var sum = 0.0
    for index in logits.indices where logits[index] > -.infinity { sum += exp(Double(logits[index]) - Double(largest)) }
    let shift = Double(largest) + log(sum)
    var best: [TokenProbability] = []
    for index in logits.indices where count > 0 && logits[index] > -.infinity {
      let logarithm = Double(logits[index]) - shift
      if best.count == count, let last = best.last, logarithm <= last.logarithm { continue }
      // Of equal tokens the lowest id comes first.
      let place = best.firstIndex { $0.logarithm < logarithm } ?? best.count
      best.insert(TokenProbability(token: Int32(truncatingIfNeeded: index), logarithm: logarithm), at: place)
      if best.count > count { best.removeLast() }
    }
    return (TokenProbability(token: chosen, logarithm: Double(logits[Int(chosen)]) - shift), best)
  }
}
