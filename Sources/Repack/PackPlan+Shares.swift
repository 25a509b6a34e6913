// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackFormat

extension PackPlan {
  /// The content of one file of the pack.
  public struct Share: Sendable, Hashable {
    /// The file's name.
    public let file: String
    /// The node it is for; nil if it is for all nodes.
    public let node: Int?
    /// The size in bytes.
    public let byteCount: Int
    /// The number of tensors that have rows in it.
    public let tensorCount: Int
    /// The number of rows, over all experts.
    public let rowCount: Int
    /// The bytes that hold no weights.
    public let paddingByteCount: Int
  }

  /// The content of each file of weights in this plan.
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
