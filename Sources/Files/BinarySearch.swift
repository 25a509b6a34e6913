// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

extension RandomAccessCollection {
  /// Returns the first index whose element satisfies `belongs`, or `endIndex` if no element does.
  ///
  /// - Precondition: `belongs` also holds for every element after the first one for which it holds.
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
