// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels
import GGUF
import PackFormat
import PackRuntime

/// Where a vector of a model (a norm's weights, a bias) starts among each team's copies; `none` where the model has none.
struct Vector {
  var offset: Int
  static let none = Vector(offset: -1)
  var isPresent: Bool { offset >= 0 }
}

/// A weight matrix together with the kernels that multiply it: plain data.
struct Matrix {
  var weight: Weight
  /// Bytes of 16 rows in the interleaved layout; 0 where the type has none.
  var groupByteCount: Int
  /// Bytes of a row in layout `gguf`.
  var rowByteCount: Int
  var interleavedKernel: ck_matmul_function?
  var plainKernel: ck_matmul_function?
  /// Whether some rows are multiplied with quantised activations.
  var readsQuants: Bool
  /// Whether some rows are multiplied with activations as they are.
  var readsFloats: Bool
  /// Whether every slice starts at a multiple of 32 rows and only the end is ragged.
  ///
  /// Then whoever computes rows can quantise them, 32 at a time, as the next product's activations.
  var isCutAt32: Bool
  /// Added to the product.
  var bias: Vector = .none

  var rows: Int { weight.rows }
  var columns: Int { weight.columns }

  /// Multiplies rows `begin ..< end` of `expert`, all of them `team`'s, with `count` columns.
  ///
  /// Row r of column c goes to `output[c * stride + r]`. Column c reads the activations `map[c]`, or c where `map` is nil.
  @inline(__always)
  func multiply(
    team: Int, expert: Int, begin: Int, end: Int, _ input: Columns, count: Int, map: UnsafePointer<Int32>? = nil,
    output: UnsafeMutablePointer<Float>, stride: Int
  ) {
    for index in Int(weight.teamStarts[team])..<Int(weight.teamStarts[team + 1]) {
      let slice = weight.slices[index]
      let low = max(begin, slice.rowBegin)
      let high = min(end, slice.rowBegin + slice.rowCount)
      guard low < high else { continue }
      multiply(slice, expert: expert, begin: low, end: high, input, count: count, map: map, output: output, stride: stride)
    }
  }

  @inline(__always)
  private func multiply(
    _ slice: WeightSlice, expert: Int, begin: Int, end: Int, _ input: Columns, count: Int, map: UnsafePointer<Int32>? = nil,
    output: UnsafeMutablePointer<Float>, stride: Int
  ) {
    guard let kernel = slice.isInterleaved ? interleavedKernel : plainKernel else { return }
    var call = ck_matmul()
    call.type = weight.type
    call.weights = (slice.base + expert * slice.expertStride).assumingMemoryBound(to: UInt8.self)
    call.k = Int64(weight.columns)
    call.row_begin = Int64(begin - slice.rowBegin)
    call.row_end = Int64(end - slice.rowBegin)
    call.columns = Int64(count)
    call.column_map = map
    call.q8 = input.q8
    call.x = UnsafePointer(input.x)
    call.x_stride = Int64(input.stride)
    call.output = output + slice.rowBegin
    call.output_stride = Int64(stride)
    kernel(&call)
  }

  /// Units of `rows` rows that `team` computes; the last of a slice may be smaller.
  @inline(__always)
  func unitCount(team: Int, rows: Int) -> Int {
    var count = 0
    for index in Int(weight.teamStarts[team])..<Int(weight.teamStarts[team + 1]) {
      count += (weight.slices[index].rowCount + rows - 1) / rows
    }
    return count
  }

  /// Calls `body` with each run of `team`'s rows whose units lie in `share`.
  ///
  /// Units are counted over the team's slices in order, from `first`.
  @inline(__always)
  func forEachRun(
    team: Int, unit: Int, first: Int = 0, share: Range<Int>, _ body: (_ begin: Int, _ end: Int) -> Void
  ) {
    var unitsBefore = first
    for index in Int(weight.teamStarts[team])..<Int(weight.teamStarts[team + 1]) {
      let slice = weight.slices[index]
      let count = (slice.rowCount + unit - 1) / unit
      let low = max(share.lowerBound, unitsBefore)
      let high = min(share.upperBound, unitsBefore + count)
      if low < high {
        let begin = slice.rowBegin + (low - unitsBefore) * unit
        let end = min(slice.rowBegin + (high - unitsBefore) * unit, slice.rowBegin + slice.rowCount)
        body(begin, end)
      }
      unitsBefore += count
    }
  }

  /// The same, cut into tiles of at most `BufferSizes.tileRows` rows.
  @inline(__always)
  func forEachTile(
    team: Int, unit: Int, first: Int = 0, share: Range<Int>, _ body: (_ rows: Range<Int>) -> Void
  ) {
    forEachRun(team: team, unit: unit, first: first, share: share) { begin, end in
      var row = begin
      while row < end {
        let next = min(row + BufferSizes.tileRows, end)
        body(row..<next)
        row = next
      }
    }
  }

  /// Row `row` of `expert` as floats, wherever it lies.
  func dequantize(
    row: Int, expert: Int, slices: Range<Int>, _ kernels: UnsafePointer<ck_table>, into output: UnsafeMutablePointer<Float>
  ) {
    for index in slices where weight.slices[index].holds(row) {
      return dequantize(weight.slices[index], row: row, expert: expert, kernels, into: output)
    }
  }

  /// Row `row` as floats, from the copy nearest to `team`.
  ///
  /// - Returns: The bytes that were read from another node: a row's, or those of the 16 rows among which it lies interleaved.
  func dequantize(
    row: Int, nearestTo team: Int, _ kernels: UnsafePointer<ck_table>, into output: UnsafeMutablePointer<Float>
  ) -> Int {
    for index in team * weight.nearbyCount..<(team + 1) * weight.nearbyCount where weight.nearby[index].slice.holds(row) {
      let nearby = weight.nearby[index]
      dequantize(nearby.slice, row: row, expert: 0, kernels, into: output)
      return nearby.isLocal ? 0 : nearby.slice.isInterleaved ? groupByteCount : rowByteCount
    }
    return 0
  }

  private func dequantize(
    _ slice: WeightSlice, row: Int, expert: Int, _ kernels: UnsafePointer<ck_table>, into output: UnsafeMutablePointer<Float>
  ) {
    let base = slice.base + expert * slice.expertStride
    let local = row - slice.rowBegin
    if slice.isInterleaved {
      kernels.pointee.dequantize16(
        weight.type, base + local / 16 * groupByteCount, Int64(local % 16), Int64(weight.columns), output)
    } else {
      kernels.pointee.dequantize(weight.type, base + local * rowByteCount, Int64(weight.columns), output)
    }
  }
}
