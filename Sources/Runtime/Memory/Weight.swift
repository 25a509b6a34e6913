// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackFormat

/// The rows of one weight that one team computes, and where they lie in memory.
///
/// - Invariant: `base` points to mapped, read-only memory that outlives the model. It holds `rowCount` rows, and for stacked experts the
///   same again every `expertStride` bytes.
@safe package struct WeightSlice {
  /// The first byte of the first row (or row group) of expert 0.
  package var base: UnsafeRawPointer
  /// The bytes from the start of one expert's rows to the start of the next; 0 if there is one expert.
  package var expertStride: Int
  /// The number of the first row within its tensor, or within its expert.
  package var rowBegin: Int
  /// The number of rows.
  package var rowCount: Int
  /// Whether the rows are in a 16-row layout. Such slices begin at multiples of 16 rows and hold whole groups.
  package var isInterleaved: Bool

  /// Returns whether row `row` of an expert is in this slice.
  @inlinable @inline(__always)
  package func holds(_ row: Int) -> Bool { row >= rowBegin && row < rowBegin + rowCount }
}

/// The rows at the place where one team looks up single rows.
package struct NearbySlice {
  /// The rows of the whole slice of the tensor.
  package var slice: WeightSlice
  /// Whether they lie on the team's node.
  package var isLocal: Bool
}

/// A weight matrix as the decode loop sees it: plain data, copied without reference counting.
///
/// - Invariant: `slices`, `teamStarts` and `nearby` point into memory owned by the `MappedPack` that made this value and outlives it.
///   `slices` is sorted by team, then by row. Team t computes slices `teamStarts[t] ..< teamStarts[t + 1]`, and over all teams every row
///   occurs once. `nearby` has `nearbyCount` slices for each team, which together hold every row once, on the team's own node if it has a
///   copy.
@safe package struct Weight {
  /// ggml's number of the weight type (`wt_type`).
  package var type: UInt32
  /// The elements of a row.
  package var columns: Int
  /// The rows of one expert.
  package var rows: Int
  /// The number of stacked experts; 1 for a plain matrix.
  /// The slices of all teams.
  package var experts: Int
  package var slices: UnsafePointer<WeightSlice>
  /// `teamCount + 1` indices into `slices`.
  package var teamStarts: UnsafePointer<Int32>
  /// The slices for looking up single rows, team by team.
  /// The number of slices per team in `nearby`.
  package var nearby: UnsafePointer<NearbySlice>
  package var nearbyCount: Int
}
