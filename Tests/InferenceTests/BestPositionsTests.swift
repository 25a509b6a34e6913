// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Testing

@testable import Inference

@Suite("The positions that an indexer chooses")
struct BestPositionsTests {
  static func choose(_ count: Int, of scores: [Float]) -> [Int] {
    var (scores, chosen, counts) = (scores, [Int32](repeating: -1, count: count), [Int32](repeating: 0, count: 2048))
    scores.withUnsafeMutableBufferPointer { scores in
      chosen.withUnsafeMutableBufferPointer { chosen in
        counts.withUnsafeMutableBufferPointer { counts in
          guard let start = scores.baseAddress, let chosen = chosen.baseAddress, let counts = counts.baseAddress else { return }
          BestPositions(count: count, counts: counts).choose(Row(start, count: scores.count), into: chosen)
        }
      }
    }
    return chosen.map { Int($0) }
  }

  @Test("An indexer chooses the positions that sorting finds, the first among equal scores", arguments: [1, 2, 7, 64, 99])
  func sorted(count: Int) {
    var random = SystemRandomNumberGenerator()
    for kind in 0..<4 {
      let scores = (0..<100).map { _ -> Float in
        switch kind {
        case 0: Float.random(in: -1...1, using: &random)
        case 1: Float(Int.random(in: 0...3, using: &random))
        case 2: [-0.0, 0, .infinity, -.infinity, .leastNonzeroMagnitude].randomElement(using: &random) ?? 0
        default: Float.random(in: 0...1e-3, using: &random) * (Bool.random(using: &random) ? 0 : 1)
        }
      }
      let expected = scores.indices.sorted { (-scores[$0], $0) < (-scores[$1], $1) }.prefix(count).sorted()
      #expect(Self.choose(count, of: scores) == expected, "\(scores)")
    }
  }

  @Test("NaN is chosen last")
  func notANumber() {
    #expect(Self.choose(2, of: [.nan, -.infinity, .nan, 5]) == [1, 3])
    #expect(Self.choose(3, of: [.nan, -.infinity, .nan, 5]) == [0, 1, 3])
  }
}
