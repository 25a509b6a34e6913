// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels
import EmulatedKernels

/// What the tests of the layer operations share: the tables this CPU runs, and numbers to feed them.
enum Ops {
  /// Names of the tables this CPU runs, best first, and the one blocked as for AVX-512, which runs anywhere.
  static let names: [String] = {
    var names: [String] = []
    var next = ck_available()
    while let name = next?.pointee {
      names.append(String(cString: name))
      next = next?.successor()
    }
    return names + ["wide"]
  }()

  struct NoSuchTable: Error { let name: String }

  static func table(_ name: String) throws -> ck_table {
    guard let table = name == "wide" ? wide_operations() : ck_select(name) else { throw NoSuchTable(name: name) }
    return table.pointee
  }

  /// SplitMix64: the same numbers everywhere, also in scripts/golden-floats.
  struct Random: RandomNumberGenerator {
    var state: UInt64
    init(_ seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
      state &+= 0x9e37_79b9_7f4a_7c15
      var z = state
      z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
      z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
      return z ^ (z >> 31)
    }
    mutating func bytes(_ count: Int) -> [UInt8] {
      var bytes: [UInt8] = []
      while bytes.count < count { withUnsafeBytes(of: next().littleEndian) { bytes.append(contentsOf: $0) } }
      return Array(bytes.prefix(count))
    }
    mutating func floats(_ count: Int, _ range: ClosedRange<Float> = -4...4) -> [Float] {
      (0..<count).map { _ in Float.random(in: range, using: &self) }
    }
  }

  /// What no arithmetic should trip over.
  static let extremes: [Float] = [
    0, -0.0, .infinity, -.infinity, .nan, .greatestFiniteMagnitude, -.greatestFiniteMagnitude, .leastNonzeroMagnitude,
    -.leastNonzeroMagnitude, .leastNormalMagnitude, 88.7, -88.7, 89, -89, 103.9, -103.9, -104, 1e-30, -1e30, 1, -1, 65504, 65520,
    0x1p-24, 0x1p-25,
  ]

  /// Bit patterns; all NaNs are one, for which of its operands' NaNs an operation keeps is up to the instruction.
  static func bits(_ floats: [Float]) -> [UInt32] { floats.map { $0.isNaN ? 0x7fc0_0000 : $0.bitPattern } }
}
