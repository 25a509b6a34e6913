// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels
import EmulatedKernels
import GGUF
import Testing

/// The kernels of instruction sets that this CPU may not have, with the instructions emulated one by one.
///
/// They have the same bodies as the native kernels, so a mistake in the order of operations or in an offset shows on every machine.
@Suite(
  "Emulated kernels",
  .enabled(if: emulated_table("avx512vnni") != nil, "SIMDe is not installed: scripts/install-packages --tests"))
struct EmulatedTests {
  static let names = ["avx2", "avxvnni", "avx512", "avx512vnni", "avx512vnni-intel", "avx512vbmi", "amx"]

  @Test("Emulated instructions give the reference's bits", arguments: names, Packed.types)
  func equals(name: String, type: WeightType) throws {
    let portable = try Tables.named("portable"), table = try #require(emulated_table(name))
    let lengths =
      switch type.blockElements {
      case 1: [33, 64]
      case 32: [32, 96, 288]
      case let block: [block, 384 / block * block, 512]
      }
    for k in lengths {
      for content: Packed.Content in [.moderate, .anything, .set, .high, .zero] {
        let packed = try #require(Packed(type, rows: 48, k: k, content))
        for activations in [Activations(columns: 19, k: k, portable), Activations(extreme: 19, k: k, portable)] {
          for map: [Int32] in [[2], [18, 0, 1, 5, 7], [0, 1, 2, 3, 4, 5, 6, 7, 8], [Int32](0..<19).reversed()] {
            let expected = try #require(activations.times(packed, portable, map: map))
            let output = try #require(activations.times(packed, table, map: map))
            #expect(comparable(output) == comparable(expected), "K = \(k), \(map.count) columns, \(content)")
          }
        }
      }
    }
  }

  @Test("Emulated quantisation gives the reference's bits", arguments: names)
  func quantizes(name: String) throws {
    let portable = try Tables.named("portable"), table = try #require(emulated_table(name))
    var random = Random(3)
    for exponent in [-148, -120, -1, 0, 100, 127] {
      var x = (0..<320).map { _ in random.float() * Float(sign: .plus, exponent: exponent, significand: 1) }
      if exponent == 100 { (x[40], x[100], x[200]) = (.infinity, .nan, -.infinity) }
      let expected = Activations(x, columns: 1, k: 320, portable), found = Activations(x, columns: 1, k: 320, table)
      #expect(comparable(found.scales) == comparable(expected.scales))
      #expect(found.quants == expected.quants)
      #expect(found.sums == expected.sums)
    }
  }
}
