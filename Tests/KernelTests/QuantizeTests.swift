// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels
import Testing

@Suite("Quantising activations")
struct QuantizeTests {
  /// Blocks of every kind that a tensor can hold, finite and not.
  static let blocks: [(name: String, values: [Float])] = {
    var random = Random(3)
    let some = (0..<32).map { _ in random.float() }
    func with(_ value: Float, _ at: Int) -> [Float] {
      var values = some
      values[at] = value
      return values
    }
    return [
      ("moderate", some), ("huge", some.map { $0 * .greatestFiniteMagnitude }), ("tiny", some.map { $0 * 1e-38 }),
      ("subnormal", some.map { $0 * 0x1p-142 }), ("least", some.map { $0 < 0 ? -Float.leastNonzeroMagnitude : 0 }),
      ("coarse", some.map { $0 * 0x1p-141 }), ("zero", some.map { _ in 0 }), ("minus zero", some.map { _ in -0.0 }),
      ("infinite", with(-.infinity, 17)), ("NaN", with(.nan, 0)),
      ("NaN, infinite", with(.nan, 31).map { $0 > 0.9 ? .infinity : $0 }),
      ("halves", (0..<32).map { Float($0) - 15.5 }), ("ties", (0..<32).map { $0 == 0 ? 127 : Float($0) - 16.5 }),
    ]
  }()

  static func quantized(_ x: [Float], _ name: String) throws -> Activations {
    Activations(x, columns: 1, k: x.count, try Tables.named(name))
  }

  @Test("Quants times the scale are the activations, within half a step", arguments: Tables.names)
  func approximates(_ name: String) throws {
    for (kind, values) in Self.blocks where values.allSatisfy({ $0.isFinite }) && kind != "least" {
      let result = try Self.quantized(values, name)
      let scale = result.scales[0]
      #expect(scale == (values.map(abs).max() ?? 0) / 127, "\(kind)")
      for (x, q) in zip(values, result.quants) {
        #expect((-127...127).contains(q), "\(kind)")
        // The scales of subnormal blocks are rounded themselves, by up to half of the smallest number.
        let slack = scale * 0.5001 + 127 * 0x1p-149
        #expect(abs(x - Float(q) * scale) <= slack, "\(kind): \(x) became \(q) × \(scale)")
      }
    }
  }

  @Test("Ties go to the even quant", arguments: Tables.names)
  func ties(_ name: String) throws {
    let values = try #require(Self.blocks.first { $0.name == "ties" }).values
    #expect(try Self.quantized(values, name).quants == values.map { Int8($0.rounded(.toNearestOrEven)) })
  }

  @Test("Each sum covers 16 quants", arguments: Tables.names)
  func sums(_ name: String) throws {
    var random = Random(9)
    let result = try Self.quantized((0..<640).map { _ in random.float() }, name)
    for (i, sum) in result.sums.enumerated() {
      #expect(Int(sum) == result.quants[16 * i..<16 * (i + 1)].reduce(0) { $0 + Int($1) })
    }
  }

  @Test("Blocks that are not finite have the scale NaN and quants of zero", arguments: Tables.names)
  func notFinite(_ name: String) throws {
    for (kind, values) in Self.blocks where !values.allSatisfy({ $0.isFinite }) {
      let result = try Self.quantized(values, name)
      #expect(result.scales[0].isNaN, "\(kind)")
      #expect(result.quants.allSatisfy { $0 == 0 } && result.sums.allSatisfy { $0 == 0 }, "\(kind)")
    }
  }

  @Test("Every instruction set gives the reference's bits", arguments: Tables.names)
  func equals(_ name: String) throws {
    let values = Self.blocks.flatMap(\.values)
    let result = try Self.quantized(values, name)
    let reference = try Self.quantized(values, "portable")
    #expect(result.quants == reference.quants)
    #expect(comparable(result.scales) == comparable(reference.scales))
    #expect(result.sums == reference.sums)
  }
}
