// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackFormat

extension PackPlan {
  /// What one file of the pack holds.
  public struct Share: Sendable, Hashable {
    /// The file.
    public let file: String
    /// The node it is for; nil for all.
    public let node: Int?
    /// Bytes in all.
    public let byteCount: Int
    /// Tensors of which it holds rows.
    public let tensorCount: Int
    /// Rows, of all experts.
    public let rowCount: Int
    /// Bytes that hold no weights.
    public let paddingByteCount: Int
  }

  /// What each file of weights would hold.
  ///
  /// - Complexity: O(slices × files).
  public var shares: [Share] {
    let draft = ManifestDraft(self, chunkByteCount: PackConverter.chunkByteCount)
    return draft.blobs.map { blob in
      var (used, tensorCount, rows) = (0, 0, 0)
      for tensor in tensors {
        let slices = tensor.slices.filter { $0.blob == blob.content }
        guard !slices.isEmpty else { continue }
        tensorCount += 1
        for slice in slices {
          used += slice.byteCount * tensor.expertCount
          rows += slice.rowCount * tensor.expertCount
        }
      }
      return Share(
        file: blob.file, node: blob.node, byteCount: blob.byteCount, tensorCount: tensorCount, rowCount: rows,
        paddingByteCount: blob.byteCount - used)
    }
  }
}
