// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

extension RandomAccessCollection {
  /// The first index for which `belongs` holds, where it holds for all after it too; `endIndex` if it holds for none.
  ///
  /// - Complexity: O(log count).
  package func partitioningIndex(where belongs: (Element) -> Bool) -> Index {
    var (low, count) = (startIndex, count)
    while count > 0 {
      let half = count / 2
      let middle = index(low, offsetBy: half)
      if belongs(self[middle]) {
        count = half
      } else {
        low = index(after: middle)
        count -= half + 1
      }
    }
    return low
  }
}
