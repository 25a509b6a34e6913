// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Lists of CPUs and nodes in the kernel's notation: `0-3,8,10-11`.
public enum NumberList {
  /// The most numbers that a list may contain; more than any kernel has CPUs.
  public static let capacity = 1 << 16

  /// Parses a list into ascending numbers without repetitions; nil if the text is not such a list.
  public static func parse(_ text: some StringProtocol) -> [Int]? {
    var numbers: Set<Int> = []
    for range in text.split(separator: ",", omittingEmptySubsequences: true) {
      let ends = range.split(separator: "-", omittingEmptySubsequences: false)
      guard ends.count <= 2, let low = ends.first.flatMap({ Int($0) }), let high = ends.last.flatMap({ Int($0) }),
        low >= 0, low <= high, high < capacity
      else { return nil }
      numbers.formUnion(low...high)
    }
    return numbers.sorted()
  }

  /// Returns the list in the kernel's notation; "none" if it is empty.
  public static func format(_ numbers: [Int]) -> String {
    var parts: [String] = []
    var index = 0
    while index < numbers.count {
      var end = index
      while end + 1 < numbers.count, numbers[end + 1] == numbers[end] + 1 { end += 1 }
      parts.append(end == index ? "\(numbers[index])" : "\(numbers[index])-\(numbers[end])")
      index = end + 1
    }
    return parts.isEmpty ? "none" : parts.joined(separator: ",")
  }
}
