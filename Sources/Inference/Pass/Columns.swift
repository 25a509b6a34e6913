// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels

/// In which form the thread that computes activations hands them to the products that read them.
struct ActivationForm {
  /// In 8 bits, with a scale for 32 elements.
  var quantised: Bool
  /// As they are.
  var plain: Bool
}

extension ActivationForm {
  /// How threads that have `partLength` elements each of what `matrix` reads hand them on: quantised where they have whole blocks of 32.
  init(partsOf partLength: Int, for matrix: Matrix) {
    quantised = matrix.readsQuants && partLength % 32 == 0
    plain = !quantised || matrix.readsFloats
  }
}

/// Activations, one column for each token: as they are, and quantised for the kernels that read them so.
///
/// - Invariant: `length` is a multiple of 32 where quants are used. Column c starts at `c * length` of the quants.
struct Columns {
  /// nil where no product reads the activations as they are.
  let plain: Rows?
  let q8: ck_q8
  let count: Int
  /// Elements of a column.
  let length: Int

  /// A column as it is.
  ///
  /// - Precondition: `plain` is not nil.
  @inline(__always)
  subscript(column: Int) -> Row {
    guard let plain else { preconditionFailure("these activations are kept quantised only") }
    return plain[column]
  }

  /// The same columns without the first ones.
  @inline(__always)
  func from(_ column: Int) -> Columns {
    let at = column * length
    return Columns(
      plain: plain.map { Rows($0.start + at, count: count - column, length: length) },
      q8: ck_q8(quants: q8.quants + at, scales: q8.scales + at / 32, sums: q8.sums + at / 16), count: count - column,
      length: length)
  }

  /// Quantises `source` as the elements from `begin` on; `begin` and the source's length are multiples of 32.
  @inline(__always)
  func quantize(_ kernels: Kernels, _ source: Row, column: Int, from begin: Int = 0) {
    assert(column < count && begin + source.count <= length)
    let at = column * length + begin
    kernels.quantize(source, quants: q8.quants + at, scales: q8.scales + at / 32, sums: q8.sums + at / 16)
  }

  /// Quantises in two parts, whose sum has 16 bits: 8 bits in column `column`, and the rounding error in 8 bits in column `second`.
  @inline(__always)
  func quantizeInTwoParts(_ kernels: Kernels, _ source: Row, column: Int, second: Int, from begin: Int = 0, scratch: Row) {
    quantize(kernels, source, column: column, from: begin)
    let at = column * length + begin
    for block in 0..<source.count / 32 {
      let scale = q8.scales[at / 32 + block]
      for index in block * 32..<block * 32 + 32 { scratch[index] = source[index] - Float(q8.quants[at + index]) * scale }
    }
    quantize(kernels, scratch[..<source.count], column: second, from: begin)
  }
}
