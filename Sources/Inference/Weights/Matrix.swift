// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels
import PackRuntime

/// Rows of a matrix that one team computes, with the kernel that multiplies them.
///
/// - Invariant: `base` points at mapped, read-only memory that outlives the model. It holds the rows in one layout; the rows of
///   further stacked experts follow every `expertStride` bytes, or are at `experts`. Interleaved rows are stored in whole groups of
///   16.
struct MatrixSlice {
  let base: UnsafeRawPointer
  let expertStride: Int
  /// The address of each expert's rows, if the experts are not stacked in one tensor.
  var experts: UnsafePointer<UnsafeRawPointer>?
  let rows: Range<Int>
  /// The number of rows at `base` that precede the first one in its group: 0 ..< 16, and 0 unless the layout or the type
  /// interleaves rows.
  var lead = 0
  let isInterleaved: Bool
  let kernel: ck_matmul_function

  @inline(__always)
  func base(of expert: Int) -> UnsafeRawPointer { experts?[expert] ?? base + expert * expertStride }
}

/// A weight matrix together with the kernels that multiply it: plain data.
///
/// - Invariant: `slices`, `teamStarts` and `nearby` outlive the model. Slices are sorted by team, then by row; team t computes
///   slices `teamStarts[t] ..< teamStarts[t + 1]`. Every row belongs to exactly one team.
struct Matrix {
  /// ggml's number of the weight type.
  let type: UInt32
  /// The length of a row, in elements.
  let columns: Int
  /// The number of rows of one expert.
  let rows: Int
  let slices: UnsafePointer<MatrixSlice>
  let teamStarts: UnsafePointer<Int32>
  /// Slices for the lookup of single rows: see `Weight`.
  let nearby: UnsafePointer<NearbySlice>
  let nearbyCount: Int
  /// Bytes of 16 rows in the interleaved layout; 0 if the type has none.
  let groupByteCount: Int
  /// Bytes of a row in layout `gguf`.
  let rowByteCount: Int
  /// Whether some rows are multiplied with quantised activations.
  let readsQuants: Bool
  /// Whether some rows are multiplied with activations in floats.
  let readsFloats: Bool
  /// Whether every slice starts at a multiple of 32 rows.
  ///
  /// If so, the thread that computes rows can quantise them, 32 at a time, as activations of the next product.
  let isCutAt32: Bool
  /// The factor of each expert's rows; nil: none.
  var factors: UnsafePointer<Float>?
  /// The bias of the product.
  var bias: Vector = .none

  @inline(__always)
  func slices(of team: Int) -> Range<Int> { Int(teamStarts[team])..<Int(teamStarts[team + 1]) }

  /// Multiplies some of `team`'s rows with the first `count` columns of `input`.
  ///
  /// - Parameters:
  ///   - expert: The index of a stacked matrix; 0 if there is only one.
  ///   - map: For each column of the product, the column of `input` that it reads; nil: the one with the same index.
  ///   - first: Row r of column c goes to element r - `first` of row c of `output`.
  @inline(__always)
  func multiply(
    _ rows: Range<Int>, of expert: Int = 0, team: Int, _ input: Columns, count: Int, map: UnsafePointer<Int32>? = nil,
    into output: Rows, first: Int = 0
  ) {
    assert(input.length >= columns && count <= output.count && rows.upperBound - first <= output.length)
    for index in slices(of: team) {
      let slice = slices[index]
      let part = rows.clamped(to: slice.rows)
      guard !part.isEmpty else { continue }
      // For the kernel, row 0 is the first row at `base`.
      let shift = slice.rows.lowerBound - slice.lead
      var call = ck_matmul()
      call.type = type
      call.weights = slice.base(of: expert).assumingMemoryBound(to: UInt8.self)
      call.k = Int64(columns)
      call.row_begin = Int64(part.lowerBound - shift)
      call.row_end = Int64(part.upperBound - shift)
      call.columns = Int64(count)
      call.column_map = map
      call.q8 = input.q8
      call.x = input.plain.map { UnsafePointer($0.start) }
      call.x_stride = Int64(input.length)
      call.output = output.start + shift - first
      call.output_stride = Int64(output.length)
      if slice.isInterleaved, (call.row_begin | call.row_end) % 16 != 0 {
        Self.multiplyWithin(&call, slice.kernel)
      } else {
        slice.kernel(&call)
      }
    }
    if let factors { scale(rows, by: factors[expert], count: count, output, first: first) }
  }

  /// Multiplies interleaved rows that begin or end within a group of 16. The kernel computes whole groups, so only the wanted rows
  /// are copied.
  private static func multiplyWithin(_ call: inout ck_matmul, _ kernel: ck_matmul_function) {
    let (begin, end, output, stride) = (call.row_begin, call.row_end, call.output, call.output_stride)
    let (count, map) = (call.columns, call.column_map)
    withUnsafeTemporaryAllocation(of: Float.self, capacity: 16) { group in
      guard let scratch = group.baseAddress else { return }
      for first in Swift.stride(from: begin & ~15, to: end, by: 16) {
        (call.row_begin, call.row_end, call.columns, call.output) = (first, first + 16, 1, scratch - Int(first))
        let rows = max(begin, first)..<min(end, first + 16)
        for column in 0..<count {
          var source = map?[Int(column)] ?? Int32(column)
          withUnsafePointer(to: &source) { pointer in
            call.column_map = pointer
            kernel(&call)
          }
          for row in rows { output?[Int(column * stride + row)] = scratch[Int(row - first)] }
        }
      }
    }
  }

  private func scale(_ rows: Range<Int>, by factor: Float, count: Int, _ output: Rows, first: Int) {
    for column in 0..<count {
      let row = output.start + column * output.length - first
      for index in rows { row[index] *= factor }
    }
  }

  /// Returns the same weights in other slices, without the bias.
  func with(slices: UnsafePointer<MatrixSlice>, teamStarts: UnsafePointer<Int32>, rows: Int, sliceCount: Int) -> Matrix {
    let isCutAt32 = (0..<sliceCount).allSatisfy { slices[$0].rows.lowerBound % 32 == 0 && slices[$0].lead == 0 }
    return Matrix(
      type: type, columns: columns, rows: rows, slices: slices, teamStarts: teamStarts, nearby: nearby, nearbyCount: nearbyCount,
      groupByteCount: groupByteCount, rowByteCount: rowByteCount, readsQuants: readsQuants, readsFloats: readsFloats,
      isCutAt32: isCutAt32, factors: factors)
  }

  /// Returns the runs of rows that `team` computes.
  func rowRanges(of team: Int) -> [Range<Int>] {
    var ranges: [Range<Int>] = []
    for index in slices(of: team) {
      let rows = slices[index].rows
      if let last = ranges.last, last.upperBound == rows.lowerBound {
        ranges[ranges.count - 1] = last.lowerBound..<rows.upperBound
      } else {
        ranges.append(rows)
      }
    }
    return ranges
  }

  /// Returns the number of units of `unit` rows that `team` computes; the last unit of a slice may be smaller.
  @inline(__always)
  func unitCount(team: Int, unit: Int = 16) -> Int {
    var count = 0
    for index in slices(of: team) { count += (slices[index].rows.count + unit - 1) / unit }
    return count
  }

  /// Calls `body` with each run of `team`'s rows whose units are in `part`.
  ///
  /// Units are numbered across the team's slices in order, from `first` on.
  @inline(__always)
  func forEachRun(team: Int, unit: Int = 16, first: Int = 0, part: Range<Int>, _ body: (_ rows: Range<Int>) -> Void) {
    var unitsBefore = first
    for index in slices(of: team) {
      let rows = slices[index].rows
      let count = (rows.count + unit - 1) / unit
      let low = max(part.lowerBound, unitsBefore)
      let high = min(part.upperBound, unitsBefore + count)
      if low < high {
        let begin = rows.lowerBound + (low - unitsBefore) * unit
        body(begin..<min(rows.lowerBound + (high - unitsBefore) * unit, rows.upperBound))
      }
      unitsBefore += count
    }
  }

  /// Does the same, but divides runs into tiles of at most `PassSizes.tileRows` rows.
  @inline(__always)
  func forEachTile(team: Int, unit: Int = 16, first: Int = 0, part: Range<Int>, _ body: (_ rows: Range<Int>) -> Void) {
    forEachRun(team: team, unit: unit, first: first, part: part) { rows in
      var row = rows.lowerBound
      while row < rows.upperBound {
        let next = min(row + PassSizes.tileRows, rows.upperBound)
        body(row..<next)
        row = next
      }
    }
  }

  /// Dequantises row `row` of `expert`, whichever team computes it.
  func dequantize(row: Int, of expert: Int, sliceCount: Int, _ kernels: Kernels, into output: Row) {
    for index in 0..<sliceCount where slices[index].rows.contains(row) {
      let slice = slices[index]
      return dequantize(
        row - slice.rows.lowerBound + slice.lead, at: slice.base(of: expert), isInterleaved: slice.isInterleaved, kernels,
        into: output)
    }
  }

  /// Dequantises row `row` from the copy nearest to `team`.
  ///
  /// - Returns: The bytes that were read from another node: those of the row, or of the 16 rows that it is interleaved with.
  func dequantize(row: Int, nearestTo team: Int, _ kernels: Kernels, into output: Row) -> Int {
    for index in team * nearbyCount..<(team + 1) * nearbyCount where nearby[index].slice.holds(row) {
      let (slice, isLocal) = (nearby[index].slice, nearby[index].isLocal)
      dequantize(row - slice.rowBegin, at: slice.base, isInterleaved: slice.isInterleaved, kernels, into: output)
      if let factor = factors?[0] { kernels.scale(output, by: factor) }
      return isLocal ? 0 : slice.isInterleaved ? groupByteCount : rowByteCount
    }
    return 0
  }

  private func dequantize(
    _ row: Int, at base: UnsafeRawPointer, isInterleaved: Bool, _ kernels: Kernels, into output: Row
  ) {
    if isInterleaved {
      kernels.dequantizeInterleaved(type, group: base + row / 16 * groupByteCount, row: row % 16, into: output)
    } else {
      kernels.dequantize(type, rows: base, row: row, into: output)
    }
  }
}
