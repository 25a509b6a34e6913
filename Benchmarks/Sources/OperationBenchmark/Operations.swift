// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels
import GGUF

/// Operations on vectors that stay in the caches.
final class Operations {
  typealias Pointer = UnsafeMutablePointer<Float>

  private let count: Int
  private let a: Pointer
  private let b: Pointer
  private let out: Pointer
  private let halves: UnsafeMutablePointer<UInt16>

  init(count: Int) {
    self.count = count
    func floats() -> Pointer {
      UnsafeMutableRawPointer.allocate(byteCount: 4 * count, alignment: 64).assumingMemoryBound(to: Float.self)
    }
    (a, b, out) = (floats(), floats(), floats())
    halves = UnsafeMutableRawPointer.allocate(byteCount: 32 * count, alignment: 64).assumingMemoryBound(to: UInt16.self)
    for i in 0..<count { (a[i], b[i], out[i]) = (Float(i % 13) - 6, Float(i % 7) - 3, 0) }
    halves.initialize(repeating: 0x3c00, count: 16 * count)
  }

  deinit {
    a.deallocate()
    b.deallocate()
    out.deallocate()
    halves.deallocate()
  }

  /// Every operation of a table, on `count` elements.
  var all: [(String, (ck_table) -> Void)] {
    let n = Int64(count)
    return [
      ("rms_norm", { [self] in $0.rms_norm(a, b, 1e-6, n, out) }),
      ("softmax", { [self] in $0.softmax(out, n) }),
      ("silu_multiply", { [self] in $0.silu_multiply(a, b, n, out) }),
      ("gelu_multiply", { [self] in $0.gelu_multiply(a, b, n, out) }),
      ("swiglu_clamped", { [self] in $0.swiglu_clamped(a, b, 1.702, 7, n, out) }),
      ("add", { [self] in $0.add(a, b, n, out) }),
      ("rope_halves", { [self] in $0.rope_halves(out, a, b, n) }),
      ("rope_adjacent", { [self] in $0.rope_adjacent(out, a, b, n) }),
      ("to_f16", { [self] in $0.to_f16(a, n, halves) }),
      ("store_key", { [self] in $0.store_key(a, n, 5, halves) }),
    ]
  }

  /// Returns the elements per nanosecond.
  func rate(runs: Int, _ body: () -> Void) -> Double {
    let repeats = 200
    return Double(count * repeats) / median((0..<runs).map { _ in seconds { for _ in 0..<repeats { body() } } }) / 1e9
  }

  func dequantizeRate(_ type: WeightType, _ table: ck_table, runs: Int) -> Double {
    // Bytes of 0x22 are small positive halves.
    let row = [UInt8](repeating: 0x22, count: type.groupRows * (type.byteCount(elements: count) ?? 0))
    return rate(runs: runs) { table.dequantize(type.rawValue, row, 0, Int64(count), out) }
  }
}
