// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF

/// The source's bytes that belong neither to a header nor to a tensor: padding between tensors, and what follows the last one.
///
/// They are nearly always zeros, but a restored file must be identical to the last bit.
enum SourceGaps {
  /// Returns the gaps of all parts of `model`, one after another.
  static func excerpt(of model: GGUFModel) -> Excerpt {
    Excerpt(
      pieces: model.parts.flatMap { part in
        ranges(of: part.header, byteCount: part.byteCount).map { Excerpt.Piece(path: part.path, range: $0) }
      })
  }

  /// Returns the gaps of a file of `byteCount` bytes with `header`, in order.
  static func ranges(of header: GGUFHeader, byteCount: Int) -> [Range<Int>] {
    var end = min(header.dataOffset, byteCount)
    var ranges: [Range<Int>] = []
    for tensor in header.tensors where tensor.byteCount > 0 {
      let start = header.dataOffset + tensor.offset
      if start > end { ranges.append(end..<start) }
      end = start + tensor.byteCount
    }
    if end < byteCount { ranges.append(end..<byteCount) }
    return ranges
  }
}
