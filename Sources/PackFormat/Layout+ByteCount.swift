// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import GGUF

extension Layout {
  /// Returns the bytes of `rows` rows of `elements` elements of `type` in this layout; nil if the layout cannot hold such rows, or on
  /// overflow.
  public func byteCount(type: WeightType, elements: Int, rows: Int) -> Int? {
    guard rows >= 0, let rowBytes = type.byteCount(elements: elements) else { return nil }
    if self == .gguf { return rowBytes.multiplied(by: rows) }
    guard let form = InterleavedForm(type), form.layout == self, rows % Layout.groupRows == 0 else { return nil }
    return form.groupByteCount(blocks: elements / type.blockElements)?.multiplied(by: rows / Layout.groupRows)
  }
}
