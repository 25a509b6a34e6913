// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels

/// Hands out pieces of one zeroed allocation, each at a multiple of 64 bytes.
///
/// The same code runs many times: once to measure how much memory it takes, and in each step to find the same pieces again. While
/// measuring, `base` is not the address of real memory, so the pieces must not be read or written.
struct Arena {
  private let base: UnsafeMutableRawPointer
  private(set) var used = 0

  /// Makes an arena in the memory from `base` on, which must outlive the pieces.
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

  /// Takes `count` columns of `length` elements, quantised and, if `keepsPlain`, also as floats.
  @inline(__always)
  mutating func columns(_ count: Int, length: Int, keepsPlain: Bool = true) -> Columns {
    let plain = keepsPlain ? rows(count, length: length) : nil
    let quants = take(count * length + 64, of: Int8.self)
    let scales = floats(count * length / 32 + 1)
    let sums = take(count * length / 16 + 1, of: Int16.self)
    return Columns(plain: plain, q8: ck_q8(quants: quants, scales: scales, sums: sums), count: count, length: length)
  }

  /// An arena that begins where the next piece would.
  @inline(__always)
  var rest: Arena { Arena(base: base + ((used + 63) & ~63)) }

  /// Returns the number of bytes that `body` takes, rounded up to a multiple of 64.
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
/// - Invariant: A barrier of all teams lies between the last read of one part and the first write of the next.
struct TeamRoom {
  /// Holds what a part keeps from one barrier to the next. It is free again after the barrier that follows the part's output.
  var parts: Arena
  /// Holds what a part writes after its first barrier and no longer reads after the barrier before its output. It shares its memory
  /// with `projected`.
  var output: Arena
}
