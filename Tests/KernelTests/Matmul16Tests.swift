// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels
import GGUF
import PackFormat
import Testing

@Suite("Products of the 16-row layouts")
struct Matmul16Tests {
  /// Returns row lengths at the edges of tiles and super-blocks, multiples of the type's block.
  static func lengths(_ type: WeightType) -> [Int] {
    switch type.blockElements {
    case 256: [256, 512, 768, 1280]
    case 32: [32, 64, 96, 256, 288, 640]
    case 64: [64, 128, 192, 256, 320, 704]
    case 128: [128, 256, 384, 512, 896]
    default: [32, 33, 66, 256, 259]
    }
  }

  @Test("Rows read from their groups are the same as rows read from a GGUF", arguments: Packed.types, Packed.Content.allCases)
  func dequantizes(_ type: WeightType, _ content: Packed.Content) throws {
    for name in Tables.names {
      let table = try Tables.named(name)
      for k in Self.lengths(type) {
        let packed = try #require(Packed(type, rows: 16, k: k, content))
        let form = try #require(InterleavedForm(type))
        #expect(packed.groups.count == form.groupByteCount(blocks: k / type.blockElements))
        for row in 0..<16 {
          var floats = [Float](repeating: 42, count: k + 1)
          table.pointee.dequantize16(type.rawValue, packed.groups, Int64(row), Int64(k), &floats)
          #expect(floats.removeLast() == 42, "writes past the row")
          #expect(comparable(floats) == comparable(packed.dequantized(row, table)), "\(name), row \(row), K = \(k)")
        }
      }
    }
  }

  @Test("The reference's products are those of the dequantised rows", arguments: Packed.types)
  func multiplies(_ type: WeightType) throws {
    let table = try Tables.named("portable")
    for k in Self.lengths(type) {
      let packed = try #require(Packed(type, rows: 32, k: k))
      let activations = Activations(columns: 2, k: k, table)
      let output = try #require(activations.times(packed, table))
      for row in 0..<32 {
        // The products of two types multiply the scales of rows by a constant.
        let factor: Float = type.name == "IQ2_KT" ? 1.05 : type.name == "IQ3_KT" ? 1.01 : 1
        let weights = packed.dequantized(row, table).map { $0 * factor }
        for c in 0..<2 {
          var sum = 0.0
          var magnitude = 0.0
          for i in 0..<k {
            let x =
              Packed.quantisedTypes.contains(type)
              ? Double(activations.quants[c * k + i]) * Double(activations.scales[(c * k + i) / 32])
              : Double(activations.x[c * k + i])
            sum += Double(weights[i]) * x
            magnitude += abs(Double(weights[i]) * x)
          }
          // The error of a sum of K / 32 terms (K / 4 for floats), each rounded to 24 bits. Products of IQ6_K use a rounded table, where
          // reading its rows evaluates a polynomial.
          let tolerance = type.name == "IQ6_K" ? 0x1p-6 : 0x1p-20
          #expect(abs(Double(output[c * 32 + row]) - sum) <= magnitude * tolerance, "row \(row), column \(c), K = \(k)")
        }
      }
    }
  }

  @Test(
    "Every instruction set gives the reference's bits, for any number of columns", arguments: Packed.types, Packed.Content.allCases)
  func equals(_ type: WeightType, _ content: Packed.Content) throws {
    let portable = try Tables.named("portable")
    for k in Self.lengths(type) {
      let packed = try #require(Packed(type, rows: 48, k: k, content))
      let count = content == .moderate && k == Self.lengths(type).last ? 64 : 17
      for activations in [Activations(columns: count, k: k, portable), Activations(extreme: count, k: k, portable)] {
        let expected = try #require(activations.times(packed, portable))
        for name in Tables.names where name != "portable" {
          let table = try Tables.named(name)
          for columns in [1, 2, 3, 5, 8, 9, 17, 64] where columns <= count {
            var some = activations
            if columns < count { some = Activations(Array(activations.x.prefix(columns * k)), columns: columns, k: k, portable) }
            let output = try #require(some.times(packed, table))
            #expect(
              comparable(output) == comparable(Array(expected.prefix(columns * 48))),
              "\(name), K = \(k), \(columns) columns, \(content)")
          }
        }
      }
    }
  }

  @Test("A part of the rows can be computed, with columns mapped", arguments: Packed.types, Tables.names)
  func maps(_ type: WeightType, _ name: String) throws {
    let table = try Tables.named(name)
    let k = try #require(Self.lengths(type).last)
    let packed = try #require(Packed(type, rows: 80, k: k))
    let activations = Activations(columns: 6, k: k, table)
    let all = try #require(activations.times(packed, table))
    for map: [Int32] in [[5], [3, 3, 0], [1, 0, 5, 4, 2, 2, 2, 5, 0, 1, 3]] {
      let some = try #require(activations.times(packed, table, rows: 16..<64, map: map))
      for (c, column) in map.enumerated() {
        for row in 0..<80 {
          let expected = 16..<64 ~= row ? all[Int(column) * 80 + row] : 12345
          #expect(some[c * 80 + row].bitPattern == expected.bitPattern, "row \(row), column \(c) of \(map.count)")
        }
      }
    }
  }
}
