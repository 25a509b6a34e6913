// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The random numbers of the tests: SplitMix64, so that a seed gives the same numbers everywhere, including scripts/golden-floats.
package struct SplitMix64: RandomNumberGenerator, Sendable {
  private var state: UInt64

  /// Starts the sequence of `seed`.
  package init(seed: UInt64) { state = seed }

  /// Returns the next 64 random bits.
  package mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
    return mixed ^ mixed >> 31
  }

  /// Returns a number in 0 ..< 1, a multiple of 2^-53.
  package mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// Returns a number in 0 ..< bound.
  package mutating func next(below bound: Int) -> Int { Int(next() % UInt64(bound)) }

  /// Returns random bytes: each 64 bits give eight, lowest first.
  package mutating func bytes(_ count: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count + 7)
    while bytes.count < count { withUnsafeBytes(of: next().littleEndian) { bytes += $0 } }
    bytes.removeLast(bytes.count - count)
    return bytes
  }

  /// Returns random numbers in a range.
  package mutating func floats(_ count: Int, _ range: ClosedRange<Float> = -4...4) -> [Float] {
    (0..<count).map { _ in Float.random(in: range, using: &self) }
  }
}
