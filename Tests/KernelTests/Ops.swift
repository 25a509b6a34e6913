// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels
import EmulatedKernels

/// The tables that this CPU can run, and input numbers, for the tests of the layer operations.
enum Ops {
  /// The names of the tables that this CPU can run, best first, and of the one blocked as for AVX-512, which runs anywhere.
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

  /// Numbers that no arithmetic should fail on.
  static let extremes: [Float] = [
    0, -0.0, .infinity, -.infinity, .nan, .greatestFiniteMagnitude, -.greatestFiniteMagnitude, .leastNonzeroMagnitude,
    -.leastNonzeroMagnitude, .leastNormalMagnitude, 88.7, -88.7, 89, -89, 103.9, -103.9, -104, 1e-30, -1e30, 1, -1, 65504, 65520,
    0x1p-24, 0x1p-25,
  ]

  /// Returns bit patterns in which all NaNs are equal, because the instruction decides which operand's NaN survives.
  static func bits(_ floats: [Float]) -> [UInt32] { floats.map { $0.isNaN ? 0x7fc0_0000 : $0.bitPattern } }
}
