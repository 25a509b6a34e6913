// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels

/// Hands out pieces of one zeroed allocation, each at a multiple of 64 bytes.
///
/// The same code runs many times: to measure, and in each step to find the same pieces again. While measuring, `base` is any
/// address at all, and what is taken must not be followed.
struct Arena {
  private let base: UnsafeMutableRawPointer
  private(set) var used = 0

  /// An arena in memory from `base` on, which must outlive what is taken from it.
  @inline(__always)
  init(base: UnsafeMutableRawPointer) { self.base = base }

  @inline(__always)
  mutating func take<Element>(_ count: Int, of type: Element.Type) -> UnsafeMutablePointer<Element> {
    let start = (used + 63) & ~63
    used = start + max(count, 1) * MemoryLayout<Element>.stride
    return (base + start).assumingMemoryBound(to: type)
  }

  @inline(__always)
  mutating func floats(_ count: Int) -> UnsafeMutablePointer<Float> { take(count, of: Float.self) }

  @inline(__always)
  mutating func integers(_ count: Int) -> UnsafeMutablePointer<Int32> { take(count, of: Int32.self) }

  @inline(__always)
  mutating func row(_ count: Int) -> Row { Row(floats(count), count: count) }

  @inline(__always)
  mutating func rows(_ count: Int, length: Int) -> Rows { Rows(floats(count * length), count: count, length: length) }

  /// `count` columns of `length` elements, quantised and, if `keepsPlain`, as they are.
  @inline(__always)
  mutating func columns(_ count: Int, length: Int, keepsPlain: Bool = true) -> Columns {
    let plain = keepsPlain ? rows(count, length: length) : nil
    let quants = take(count * length + 64, of: Int8.self)
    let scales = floats(count * length / 32 + 1)
    let sums = take(count * length / 16 + 1, of: Int16.self)
    return Columns(plain: plain, q8: ck_q8(quants: quants, scales: scales, sums: sums), count: count, length: length)
  }

  /// Where what is taken next begins.
  @inline(__always)
  var rest: Arena { Arena(base: base + ((used + 63) & ~63)) }

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

/// Memory of one team that all parts of all layers use in turn.
///
/// - Invariant: a barrier of all teams lies between the last read of one part and the first write of the next.
struct TeamRoom {
  /// What a part keeps from one barrier to the next: a mixer's network starts after the barrier that follows the mixer's output,
  /// and the next layer after its network's.
  var parts: Arena
  /// Lies in one place with `projected`: written after the first barrier within a part, no longer read after the one in front of
  /// its output.
  var output: Arena
}
