// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels
import GGUF
import Glibc
import PackFormat

/// Row groups of random weights of ordinary magnitude, activations, and room for the products.
final class Problem {
  let type: WeightType
  let k: Int
  let rowCount: Int
  let columns: Int
  let weightByteCount: Int
  let weights: UnsafeMutableRawPointer
  private let quants: UnsafeMutablePointer<Int8>
  private let scales: UnsafeMutablePointer<Float>
  private let sums: UnsafeMutablePointer<Int16>
  private let x: UnsafeMutablePointer<Float>
  private let output: UnsafeMutablePointer<Float>

  /// The multiply-adds of the whole product.
  var multiplyAdds: Double { Double(k) * Double(rowCount) * Double(columns) }

  /// As many rows of `k` elements as fit `byteCount`, a multiple of 16; nil if the type has no 16-row form of that length.
  init?(_ type: WeightType, k: Int, byteCount: Int, columns: Int, table: ck_table) {
    guard let form = InterleavedForm(type), k % type.blockElements == 0, k % 32 == 0,
      let groupBytes = form.groupByteCount(blocks: k / type.blockElements)
    else { return nil }
    let groups = max(1, byteCount / groupBytes)
    (self.type, self.k, rowCount, self.columns) = (type, k, groups * Layout.groupRows, columns)
    weightByteCount = groups * groupBytes
    // Use huge pages, as the programs do when they map weights.
    weights = .allocate(byteCount: weightByteCount, alignment: 2 << 20)
    madvise(weights, weightByteCount, MADV_HUGEPAGE)
    quants = UnsafeMutableRawPointer.allocate(byteCount: columns * k, alignment: 64).assumingMemoryBound(to: Int8.self)
    scales = .allocate(capacity: columns * k / 32)
    sums = .allocate(capacity: columns * k / 16)
    x = .allocate(capacity: columns * k)
    output = .allocate(capacity: columns * groups * Layout.groupRows)
    output.initialize(repeating: 0, count: columns * groups * Layout.groupRows)

    var random = SystemRandomNumberGenerator()
    let first = Self.randomGroup(form, blocks: k / type.blockElements, byteCount: groupBytes, &random)
    for group in 0..<groups {
      UnsafeMutableRawBufferPointer(start: weights + group * groupBytes, count: groupBytes).copyBytes(from: first)
    }
    for i in 0..<columns * k { x[i] = Float.random(in: -1...1, using: &random) }
    for column in 0..<columns {
      table.quantize(x + column * k, Int64(k), quants + column * k, scales + column * k / 32, sums + column * k / 16)
    }
  }

  deinit {
    weights.deallocate()
    quants.deallocate()
    scales.deallocate()
    sums.deallocate()
    x.deallocate()
    output.deallocate()
  }

  /// Returns one row group of random bytes. Half-precision numbers in a block's head are ordinary ones, so that no time is spent on
  /// subnormal ones.
  private static func randomGroup(
    _ form: InterleavedForm, blocks: Int, byteCount: Int, _ random: inout SystemRandomNumberGenerator
  ) -> [UInt8] {
    var group = (0..<byteCount).map { _ in UInt8.random(in: 0...255, using: &random) }
    func put(_ bits: UInt16, at offset: Int) {
      group[offset] = UInt8(truncatingIfNeeded: bits)
      group[offset + 1] = UInt8(truncatingIfNeeded: bits >> 8)
    }
    if form.layout == .r16k1 {
      for at in stride(from: 0, to: byteCount, by: 2) {
        let value = Float.random(in: -1...1, using: &random)
        put(form.type == .f16 ? Float16(value).bitPattern : UInt16(truncatingIfNeeded: value.bitPattern >> 16), at: at)
      }
    }
    for row in 0..<Layout.groupRows {
      switch form.rowHeader?.byteCount {
      case 2: put(Float16.random(in: 0.001...0.01).bitPattern, at: 2 * row)
      case 4: withUnsafeBytes(of: Float.random(in: 0.001...0.01)) { group.replaceSubrange(4 * row..<4 * row + 4, with: $0) }
      default: break
      }
    }
    var tile = form.rowHeadersByteCount
    for block in stride(from: 0, to: blocks, by: form.tileBlocks) {
      let count = min(form.tileBlocks, blocks - block)
      var at = tile
      for _ in 0..<count {
        for field in form.head {
          for unit in 0..<Layout.groupRows where form.type == .mxfp4 { group[at + unit] = UInt8.random(in: 118...127) }
          for unit in 0..<Layout.groupRows where field.unitBits == 16 {
            put(Float16.random(in: 0.001...0.01).bitPattern, at: at + 2 * unit)
          }
          at += field.byteCount * Layout.groupRows
        }
      }
      tile += form.tileByteCount(blocks: count)
    }
    return group
  }

  /// Returns the kernel's arguments for one of equal parts of the rows.
  func part(_ index: Int, of count: Int) -> ck_matmul {
    var matmul = ck_matmul()
    let groups = rowCount / Layout.groupRows
    matmul.type = type.rawValue
    matmul.weights = UnsafePointer(weights.assumingMemoryBound(to: UInt8.self))
    matmul.k = Int64(k)
    matmul.row_begin = Int64(groups * index / count * Layout.groupRows)
    matmul.row_end = Int64(groups * (index + 1) / count * Layout.groupRows)
    matmul.columns = Int64(columns)
    matmul.q8 = ck_q8(quants: quants, scales: scales, sums: sums)
    matmul.x = UnsafePointer(x)
    matmul.x_stride = Int64(k)
    matmul.output = output
    matmul.output_stride = Int64(rowCount)
    return matmul
  }
}
