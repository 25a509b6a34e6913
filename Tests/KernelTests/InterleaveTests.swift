// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels
import Testing

/// A stream of numbers that is the same in every run.
struct Random {
  private var state: UInt64

  init(_ seed: Int) { state = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 | 1 }

  mutating func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state &* 0x2545_F491_4F6C_DD1D
  }

  mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next() >> 32) } }

  /// Returns a value in -1 ..< 1.
  mutating func float() -> Float { Float(Int64(bitPattern: next() >> 40) - (1 << 23)) / Float(1 << 23) }
}

struct InterleaveTests {
  /// Returns unit `unit` of a row, bit by bit as the header describes it.
  static func unit(_ bytes: [UInt8], at start: Int, _ unit: Int, bits: Int) -> UInt32 {
    if bits == 4 { return UInt32(bytes[start + unit / 2] >> (unit % 2 * 4) & 15) }
    return (0..<bits / 8).reduce(0) { $0 | UInt32(bytes[start + unit * bits / 8 + $1]) << (8 * UInt32($1)) }
  }

  @Test(
    "Units of 16 rows lie side by side, flipped, and separating restores the rows",
    arguments: [(4, 8), (4, 2), (4, 14), (8, 1), (8, 4), (8, 12), (8, 16), (16, 1), (16, 2), (16, 7), (32, 1), (32, 8), (32, 64)],
    [UInt8(0), 0x80, 0xff])
  func interleaves(shape: (bits: Int, units: Int), flip: UInt8) {
    let (bits, units) = shape
    var random = Random(bits * 100 + units)
    let rowBytes = units * bits / 8
    let stride = rowBytes + 5
    let rows = random.bytes(16 * stride)
    var out = [UInt8](repeating: 0, count: 16 * rowBytes)
    ck_interleave(rows, Int64(stride), Int64(units), Int32(bits), flip, &out)
    let unflipped = out.map { $0 ^ flip }
    for unit in 0..<units {
      for row in 0..<16 {
        #expect(
          Self.unit(unflipped, at: 0, unit * 16 + row, bits: bits) == Self.unit(rows, at: row * stride, unit, bits: bits),
          "unit \(unit) of row \(row)")
      }
    }

    var back = rows.map { ~$0 }
    ck_separate(out, Int64(units), Int32(bits), flip, &back, Int64(stride))
    for row in 0..<16 {
      for byte in 0..<stride {
        let at = row * stride + byte
        #expect(back[at] == (byte < rowBytes ? rows[at] : ~rows[at]), "byte \(byte) of row \(row)")
      }
    }
  }
}
