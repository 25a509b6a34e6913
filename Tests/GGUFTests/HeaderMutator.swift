// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF
import TestSupport

/// Damages files in reproducible ways: as transmission errors do, and as people do who know where the sizes are.
struct HeaderMutator {
  private var generator: SplitMix64
  private let seeds: [[UInt8]]

  /// Integers at the limits of what readers compute with.
  private static let edges: [UInt64] = [
    0, 1, 2, 31, 32, 63, 64, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 1 << 30, 1 << 31 - 1, 1 << 31, 1 << 32 - 1, 1 << 32, 1 << 61,
    1 << 62 - 1, 1 << 62, 1 << 63 - 1, 1 << 63, .max - 31, .max - 7, .max,
  ]

  init(seed: UInt64, seeds: [[UInt8]]) {
    generator = SplitMix64(seed: seed)
    self.seeds = seeds
  }

  mutating func random(below limit: Int) -> Int { generator.next(below: max(1, limit)) }

  /// Returns one of the seeds with one to four mutations.
  mutating func next() -> [UInt8] {
    var bytes = seeds[random(below: seeds.count)]
    for _ in 0...random(below: 4) { mutate(&bytes) }
    return bytes
  }

  private mutating func mutate(_ bytes: inout [UInt8]) {
    guard !bytes.isEmpty else { return bytes.append(UInt8(truncatingIfNeeded: generator.next())) }
    let at = random(below: bytes.count)
    let run = at..<min(bytes.count, at + 1 + random(below: 64))
    switch random(below: 8) {
    case 0: bytes[at] ^= 1 << UInt8(random(below: 8))
    case 1: bytes[at] = UInt8(truncatingIfNeeded: generator.next())
    case 2, 3: overwrite(&bytes, at: at, Self.edges[random(below: Self.edges.count)], width: [2, 4, 8, 8][random(below: 4)])
    case 4: bytes.removeSubrange(run)
    case 5: bytes.insert(contentsOf: bytes[run], at: at)
    case 6: bytes.removeLast(bytes.count - at)
    default:
      let other = seeds[random(below: seeds.count)]
      let from = random(below: other.count)
      bytes.replaceSubrange(run, with: other[from..<min(other.count, from + run.count)])
    }
  }

  private func overwrite(_ bytes: inout [UInt8], at: Int, _ value: UInt64, width: Int) {
    for index in 0..<min(width, bytes.count - at) { bytes[at + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index)) }
  }
}
