// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels
import TestSupport
import Testing

@Suite("Choosing positions")
struct ChoiceTests {
  @Test(
    "An indexer's scores match double precision except for rounding, and have the portable table's bits", arguments: Ops.names)
  func scores(_ name: String) throws {
    let (table, portable) = (try Ops.table(name), try Ops.table("portable"))
    for (heads, length, positions) in [(1, 4, 16), (5, 32, 48), (8, 64, 16)] {
      var random = SplitMix64(seed: UInt64(heads * length))
      let (queries, weights) = (random.floats(heads * length), random.floats(heads))
      let keys = random.floats(positions * length)
      var (ours, theirs) = ([Float](repeating: 0, count: positions), [Float](repeating: 0, count: positions))
      table.index(queries, weights, Int64(heads), Int64(length), keys, Int64(positions), &ours)
      portable.index(queries, weights, Int64(heads), Int64(length), keys, Int64(positions), &theirs)
      #expect(ours.map(\.bitPattern) == theirs.map(\.bitPattern))
      for position in 0..<positions {
        let truth = (0..<heads).reduce(0.0) { sum, head in
          let product = (0..<length).reduce(0.0) {
            $0 + Double(queries[head * length + $1]) * Double(keys[position / 16 * 16 * length + $1 * 16 + position % 16])
          }
          return sum + Double(weights[head]) * max(0, product)
        }
        #expect(abs(Double(ours[position]) - truth) <= 1e-4 * max(1, abs(truth)))
      }
    }
  }

  @Test("Without weights, a score is the product of the single query and the key", arguments: Ops.names)
  func products(_ name: String) throws {
    let (table, length, positions) = (try Ops.table(name), 24, 48)
    var random = SplitMix64(seed: 7)
    let (query, keys) = (random.floats(length), random.floats(positions * length))
    var scores = [Float](repeating: 0, count: positions)
    table.index(query, nil, 1, Int64(length), keys, Int64(positions), &scores)
    for position in 0..<positions {
      let truth = (0..<length).reduce(0.0) {
        $0 + Double(query[$1]) * Double(keys[position / 16 * 16 * length + $1 * 16 + position % 16])
      }
      #expect(abs(Double(scores[position]) - truth) <= 1e-5)
    }
    #expect(scores.contains { $0 < 0 })
  }

  @Test("Chosen positions are copied in order, and the rest of their last group is zero", arguments: Ops.names)
  func gather(_ name: String) throws {
    let table = try Ops.table(name)
    let (keyLength, valueLength, count) = (6, 5, 64)
    let keys = (0..<count * keyLength).map { UInt16($0 + 1) }
    let values = (0..<count * valueLength).map { UInt16($0 + 1) }
    for list in [[3], [0, 1, 17, 63], (0..<20).map { Int32(3 * $0) }] as [[Int32]] {
      let room = (list.count + 15) / 16 * 16
      var outKeys = [UInt16](repeating: 9, count: room * keyLength), outValues = [UInt16](repeating: 9, count: room * valueLength)
      table.gather(list, Int64(list.count), keys, Int64(keyLength), values, Int64(valueLength), &outKeys, &outValues)
      var latents = outKeys.map { _ in Float(9) }
      table.gather_latents(list, Int64(list.count), keys.map(Float.init), Int64(keyLength), &latents)
      #expect(latents == outKeys.map(Float.init))
      for place in 0..<room {
        let source = place < list.count ? Int(list[place]) : nil
        for element in 0..<keyLength {
          let expected = source.map { keys[$0 / 16 * 16 * keyLength + element * 16 + $0 % 16] } ?? 0
          #expect(outKeys[place / 16 * 16 * keyLength + element * 16 + place % 16] == expected)
        }
        for element in 0..<valueLength {
          #expect(outValues[place * valueLength + element] == source.map { values[$0 * valueLength + element] } ?? 0)
        }
      }
    }
  }
}
