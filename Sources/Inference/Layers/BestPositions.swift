// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Finds the positions with the best scores. Of equal scores the first ones win; NaN is the worst.
///
/// The smallest score that is chosen is found digit by digit, by counting (a radix selection): three passes over the scores,
/// whatever they are.
struct BestPositions {
  /// The number of positions to choose.
  let count: Int
  /// Room for 2048 numbers.
  let counts: UnsafeMutablePointer<Int32>

  /// The leading bits of the smallest chosen score, mapped by `order`.
  private struct Threshold {
    var prefix: UInt32 = 0
    var mask: UInt32 = 0
    /// How many of the scores with this prefix are chosen.
    var left: Int
  }

  /// Writes the chosen positions, ascending.
  ///
  /// - Precondition: There are more than `count` scores.
  func choose(_ scores: Row, into positions: UnsafeMutablePointer<Int32>) {
    var threshold = Threshold(left: count)
    narrow(&threshold, scores, shift: 21, bits: 11)
    narrow(&threshold, scores, shift: 10, bits: 11)
    narrow(&threshold, scores, shift: 0, bits: 10)
    var place = 0
    for position in 0..<scores.count where place < count {
      let order = Self.order(scores[position])
      guard order > threshold.prefix || order == threshold.prefix && threshold.left > 0 else { continue }
      if order == threshold.prefix { threshold.left -= 1 }
      positions[place] = Int32(position)
      place += 1
    }
  }

  /// Finds the next digit of the threshold.
  private func narrow(_ threshold: inout Threshold, _ scores: Row, shift: UInt32, bits: Int) {
    let last = 1 << bits - 1
    counts.update(repeating: 0, count: last + 1)
    for position in 0..<scores.count {
      let order = Self.order(scores[position])
      if order & threshold.mask == threshold.prefix { counts[Int(order >> shift) & last] += 1 }
    }
    var digit = last
    while digit > 0, threshold.left > Int(counts[digit]) {
      threshold.left -= Int(counts[digit])
      digit -= 1
    }
    threshold.prefix |= UInt32(digit) << shift
    threshold.mask |= UInt32(last) << shift
  }

  /// Returns an integer that sorts as the float does.
  @inline(__always)
  private static func order(_ x: Float) -> UInt32 {
    guard x == x else { return 0 }
    // Adding 0 makes both zeros equal.
    let bits = (x + 0).bitPattern
    return bits >> 31 == 0 ? bits | 1 << 31 : ~bits
  }
}
