// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF

extension Layout {
  /// Bytes of `rows` rows of `elements` elements of `type` in this layout; nil if the layout does not hold such rows, or on overflow.
  public func byteCount(type: WeightType, elements: Int, rows: Int) -> Int? {
    guard rows >= 0, let rowBytes = type.byteCount(elements: elements) else { return nil }
    let result: (partialValue: Int, overflow: Bool)
    switch self {
    case .gguf:
      result = rowBytes.multipliedReportingOverflow(by: rows)
    case .r16k4, .r16k1:
      guard let form = InterleavedForm(type), form.layout == self, rows % Layout.groupRows == 0,
        let group = form.groupByteCount(blocks: elements / type.blockElements)
      else { return nil }
      result = group.multipliedReportingOverflow(by: rows / Layout.groupRows)
    }
    return result.overflow ? nil : result.partialValue
  }
}
