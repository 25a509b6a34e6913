// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A range of a blob's content that is stored in one way.
struct BlobSection {
  let range: Range<Int>
  /// The number of planes that suits its values; 0 for the zeros between slices.
  let planeCount: Int
}
