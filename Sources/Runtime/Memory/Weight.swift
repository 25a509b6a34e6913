// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackFormat

/// Rows of one weight that one team computes, where they lie in memory.
///
/// - Invariant: `base` points at mapped, read-only memory that outlives the model: `rowCount` rows in `layout`, and for stacked
///   experts the same again every `expertStride` bytes.
@safe package struct WeightSlice {
  /// The first row's (or row group's) first byte, for expert 0.
  package var base: UnsafeRawPointer
  /// Bytes from one expert's rows to the next one's; 0 where there is one.
  package var expertStride: Int
  /// The first row's number within its tensor (within its expert).
  package var rowBegin: Int
  package var rowCount: Int
  /// True for the 16-row layouts; their slices begin at multiples of 16 rows and hold whole groups.
  package var isInterleaved: Bool

  /// Whether row `row` of an expert is among them.
  @inlinable @inline(__always)
  package func holds(_ row: Int) -> Bool { row >= rowBegin && row < rowBegin + rowCount }
}

/// Rows where the lookup of a single row finds them for one team.
package struct NearbySlice {
  package var slice: WeightSlice
  /// Whether they lie on the team's node.
  package var isLocal: Bool
}

/// A weight matrix as the decode loop sees it: plain data, copied without reference counting.
///
/// - Invariant: `slices` and `teamStarts` live in memory owned by the `MappedPack` that made this, which outlives it. Slices are
///   sorted by team, then by row; team t computes slices `teamStarts[t] ..< teamStarts[t + 1]`. Over all teams, every row occurs once.
///   `nearby` has `nearbyCount` slices for each team, which hold every row once: on the team's node where it has a copy.
@safe package struct Weight {
  /// ggml's number of the weight type (`wt_type`).
  package var type: UInt32
  /// Elements of a row.
  package var columns: Int
  /// Rows of one expert.
  package var rows: Int
  /// Stacked experts; 1 for a plain matrix.
  package var experts: Int
  package var slices: UnsafePointer<WeightSlice>
  /// `teamCount + 1` indices into `slices`.
  package var teamStarts: UnsafePointer<Int32>
  /// For the lookup of single rows by any team.
  package var nearby: UnsafePointer<NearbySlice>
  package var nearbyCount: Int
}
