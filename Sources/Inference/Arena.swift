// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels

/// Hands out pieces of one zeroed allocation, each at a multiple of 64 bytes.
///
/// The same code runs twice: first to measure, then to place. While measuring, `base` is any address at all, and what is taken
/// must not be followed.
struct Arena {
  private let base: UnsafeMutableRawPointer
  private(set) var used = 0

  /// An arena in memory from `base` on, which must outlive what is taken from it.
  init(base: UnsafeMutableRawPointer) { self.base = base }

  mutating func take<Element>(_ count: Int, of type: Element.Type) -> UnsafeMutablePointer<Element> {
    let start = (used + 63) & ~63
    used = start + max(count, 1) * MemoryLayout<Element>.stride
    return (base + start).assumingMemoryBound(to: type)
  }

  mutating func floats(_ count: Int) -> UnsafeMutablePointer<Float> { take(count, of: Float.self) }

  mutating func integers(_ count: Int) -> UnsafeMutablePointer<Int32> { take(count, of: Int32.self) }

  /// `count` columns of `stride` elements, quantised and, if `keepsFloats`, as they are.
  mutating func columns(_ count: Int, stride: Int, keepsFloats: Bool = true) -> Columns {
    let x = keepsFloats ? floats(count * stride) : nil
    let quants = take(count * stride + 64, of: Int8.self)
    let scales = floats(count * stride / 32 + 1)
    let sums = take(count * stride / 16 + 1, of: Int16.self)
    return Columns(x: x, q8: ck_q8(quants: quants, scales: scales, sums: sums), stride: stride)
  }

  /// Pieces in one place for two uses, of which one always ends before the other begins.
  mutating func overlay<First, Second>(
    _ first: (inout Arena) -> First, _ second: (inout Arena) -> Second
  ) -> (First, Second) {
    var (one, other) = (self, self)
    let pieces = (first(&one), second(&other))
    used = max(one.used, other.used)
    return pieces
  }

  /// The bytes that `body` takes.
  static func measure(_ body: (inout Arena) -> Void) -> Int {
    withUnsafeTemporaryAllocation(byteCount: 64, alignment: 64) { scratch in
      guard let address = scratch.baseAddress else { return 0 }
      var arena = Arena(base: address)
      body(&arena)
      return (arena.used + 63) & ~63
    }
  }
}
