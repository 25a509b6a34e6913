// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels

/// The forms in which a thread hands its activations to the products that read them.
struct ActivationForm {
  /// In 8 bits, with a scale for every 32 elements.
  var quantised: Bool
  /// In floats.
  var plain: Bool
}

extension ActivationForm {
  /// Chooses the form in which threads publish parts of `partLength` elements for `matrix`: quantised if parts are whole blocks of
  /// 32.
  init(partsOf partLength: Int, for matrix: Matrix) {
    quantised = matrix.readsQuants && partLength % 32 == 0
    plain = !quantised || matrix.readsFloats
  }
}

/// Activations, with one column for each token: in floats, and quantised for the kernels that read them so.
///
/// - Invariant: `length` is a multiple of 32 if quants are used. Column c starts at `c * length` in the quants.
struct Columns {
  /// The activations in floats; nil if no product reads them.
  let plain: Rows?
  let q8: ck_q8
  let count: Int
  /// The length of a column, in elements.
  let length: Int

  /// A column in floats.
  ///
  /// - Precondition: `plain` is not nil.
  @inline(__always)
  subscript(column: Int) -> Row {
    guard let plain else { preconditionFailure("these activations are kept quantised only") }
    return plain[column]
  }

  /// Returns the same columns without the first `column` ones.
  @inline(__always)
  func from(_ column: Int) -> Columns {
    let at = column * length
    return Columns(
      plain: plain.map { Rows($0.start + at, count: count - column, length: length) },
      q8: ck_q8(quants: q8.quants + at, scales: q8.scales + at / 32, sums: q8.sums + at / 16), count: count - column,
      length: length)
  }

  /// Quantises `source` into the elements of a column from `begin` on; `begin` and the length of `source` are multiples of 32.
  @inline(__always)
  func quantize(_ kernels: Kernels, _ source: Row, column: Int, from begin: Int = 0) {
    assert(column < count && begin + source.count <= length)
    let at = column * length + begin
    kernels.quantize(source, quants: q8.quants + at, scales: q8.scales + at / 32, sums: q8.sums + at / 16)
  }

  /// Quantises to 16 bits in two parts: 8 bits in column `column`, and the rounding error in 8 bits in column `second`.
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
