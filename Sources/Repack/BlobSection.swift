// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A run of a blob's content that is stored in one way.
struct BlobSection {
  let range: Range<Int>
  /// Planes that suit it; 0 for the zeros between slices.
  let planeCount: Int
}
