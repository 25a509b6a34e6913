// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels

/// Activations, one column for each token: as they are, and quantised for the kernels that want them so.
///
/// Column c starts at `x[c * stride]`, and at `c * stride` of the quants: a stride is a multiple of 32 where quants are used.
struct Columns {
  /// nil where no product reads the activations as they are.
  var x: UnsafeMutablePointer<Float>?
  var q8: ck_q8
  var stride: Int

  /// Where element `begin` of a column is kept as it is.
  ///
  /// - Precondition: `x` is not nil.
  @inline(__always)
  func floats(_ column: Int, from begin: Int = 0) -> UnsafeMutablePointer<Float> {
    guard let x else { preconditionFailure("these activations are kept quantised only") }
    return x + column * stride + begin
  }

  /// Bytes of `count` quantised elements with their scales and sums.
  static func quantizedByteCount(_ count: Int) -> Int { count + count / 32 * 4 + count / 16 * 2 }

  /// Quantises elements `begin ..< begin + count` of a column, both multiples of 32.
  @inline(__always)
  func quantize(
    _ kernels: UnsafePointer<ck_table>, _ source: UnsafePointer<Float>, column: Int, begin: Int, count: Int
  ) {
    let at = column * stride + begin
    kernels.pointee.quantize(source, Int64(count), q8.quants + at, q8.scales + at / 32, q8.sums + at / 16)
  }

  /// Quantises finely: 8 bits in column `column`, and what they leave out again in 8 bits in column `rest`.
  @inline(__always)
  func quantizeFinely(
    _ kernels: UnsafePointer<ck_table>, _ source: UnsafePointer<Float>, column: Int, rest: Int, begin: Int, count: Int,
    scratch: UnsafeMutablePointer<Float>
  ) {
    quantize(kernels, source, column: column, begin: begin, count: count)
    let at = column * stride + begin
    for block in 0..<count / 32 {
      let scale = q8.scales[at / 32 + block]
      for index in block * 32..<block * 32 + 32 { scratch[index] = source[index] - Float(q8.quants[at + index]) * scale }
    }
    quantize(kernels, UnsafePointer(scratch), column: rest, begin: begin, count: count)
  }

  /// Copies quantised elements of a column from another team's copy of the same columns.
  @inline(__always)
  func copyQuants(from other: Columns, column: Int, begin: Int, count: Int) {
    let at = column * stride + begin
    (q8.quants + at).update(from: other.q8.quants + at, count: count)
    (q8.scales + at / 32).update(from: other.q8.scales + at / 32, count: count / 32)
    (q8.sums + at / 16).update(from: other.q8.sums + at / 16, count: count / 16)
  }

  /// Columns of another length in the same memory, from column-major offset `elements` on.
  @inline(__always)
  func reshaped(stride: Int, from elements: Int) -> Columns {
    Columns(
      x: x.map { $0 + elements },
      q8: ck_q8(quants: q8.quants + elements, scales: q8.scales + elements / 32, sums: q8.sums + elements / 16), stride: stride)
  }
}
