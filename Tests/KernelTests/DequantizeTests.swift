// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels
import GGUF
import TestSupport
import Testing

/// Rows in layout `gguf` as floats: the results of ggml's own reference, bit for bit.
@Suite("Dequantisation of every weight type")
struct DequantizeTests {
  /// Returns eight blocks of pseudo-random bytes of a type, or 256 if its blocks are single numbers.
  static func row(_ type: WeightType) -> (bytes: [UInt8], elements: Int) {
    let blocks = type.blockElements == 1 ? 256 : 8
    var random = SplitMix64(seed: UInt64(type.rawValue))
    return (random.bytes(blocks * type.blockByteCount), blocks * type.blockElements)
  }

  static func floats(_ name: String, _ type: WeightType) throws -> [Float] {
    let (bytes, elements) = row(type)
    var out = [Float](repeating: 42, count: elements + 1)
    try Ops.table(name).dequantize(type.rawValue, bytes, 0, Int64(elements), &out)
    #expect(out.removeLast() == 42, "writes past the row")
    return out
  }

  /// Returns FNV-1a over the bits of the floats, lowest byte first.
  static func digest(_ floats: [Float]) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for bits in Ops.bits(floats) {
      for shift in stride(from: 0, to: 32, by: 8) {
        hash = (hash ^ UInt64(bits >> UInt32(shift) & 0xff)) &* 0x100_0000_01b3
      }
    }
    return hash
  }

  @Test("The floats are those of Python's gguf", arguments: Ops.names, goldenFloats.keys.sorted { $0.rawValue < $1.rawValue })
  func golden(_ name: String, _ type: WeightType) throws {
    let floats = try Self.floats(name, type)
    let expected = try #require(goldenFloats[type])
    #expect(Self.digest(floats) == expected.digest)
    #expect(Ops.bits(Array(floats.prefix(4))) == expected.first)
  }

  @Test("Plain numbers are converted", arguments: Ops.names)
  func numbers(_ name: String) throws {
    func stored<T: BitwiseCopyable>(_ type: WeightType, _: T.Type, _ convert: (T) -> Float) throws {
      let expected = Self.row(type).bytes.withUnsafeBytes { bytes in
        (0..<256).map { convert(bytes.loadUnaligned(fromByteOffset: $0 * MemoryLayout<T>.size, as: T.self)) }
      }
      #expect(Ops.bits(try Self.floats(name, type)) == Ops.bits(expected), "\(type.name)")
    }
    try stored(.f32, Float.self) { $0 }
    try stored(.f16, Float16.self) { Float($0) }
    try stored(.f64, Double.self) { Float($0) }
    try stored(.i8, Int8.self) { Float($0) }
    try stored(.i16, Int16.self) { Float($0) }
    try stored(.i32, Int32.self) { Float($0) }
    try stored(.i64, Int64.self) { Float($0) }
  }

  /// Python's gguf does not have these two. A block is a half-precision scale and quants, from the low bits upward (ggml-quants.c).
  @Test("Q1_0 is one sign, and Q2_0 two bits less one, times the scale", arguments: Ops.names, [(WeightType.q1_0, 1), (.q2_0, 2)])
  func fewBits(_ name: String, _ type: (WeightType, bits: Int)) throws {
    let (bytes, elements) = Self.row(type.0)
    let expected = (0..<elements).map { i in
      let (block, j) = i.quotientAndRemainder(dividingBy: type.0.blockElements)
      let start = block * type.0.blockByteCount
      let scale = Float(Float16(bitPattern: UInt16(bytes[start]) | UInt16(bytes[start + 1]) << 8))
      let quant = Int(bytes[start + 2 + j * type.bits / 8]) >> (j * type.bits % 8) & (1 << type.bits - 1)
      return type.bits == 1 ? (quant == 1 ? scale : -scale) : Float(quant - 1) * scale
    }
    #expect(Ops.bits(try Self.floats(name, type.0)) == Ops.bits(expected))
  }

  @Test("No weight type is left out", arguments: WeightType.allCases)
  func complete(_ type: WeightType) throws {
    let own: Set<WeightType> = [.f32, .f16, .f64, .i8, .i16, .i32, .i64, .q1_0, .q2_0]
    // The types of ik_llama.cpp, which Python's gguf does not have, are compared with ik_llama.cpp's own results.
    #expect((goldenFloats[type] != nil) != (own.contains(type) || ForkOracle.types.contains(type)))
  }
}
