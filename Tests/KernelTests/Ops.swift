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

  /// What no arithmetic should trip over.
  static let extremes: [Float] = [
    0, -0.0, .infinity, -.infinity, .nan, .greatestFiniteMagnitude, -.greatestFiniteMagnitude, .leastNonzeroMagnitude,
    -.leastNonzeroMagnitude, .leastNormalMagnitude, 88.7, -88.7, 89, -89, 103.9, -103.9, -104, 1e-30, -1e30, 1, -1, 65504, 65520,
    0x1p-24, 0x1p-25,
  ]

  /// Bit patterns; all NaNs are one, for which of its operands' NaNs an operation keeps is up to the instruction.
  static func bits(_ floats: [Float]) -> [UInt32] { floats.map { $0.isNaN ? 0x7fc0_0000 : $0.bitPattern } }
}
