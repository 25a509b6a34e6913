// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A count with its noun, singular for one: `1 tensor`, `2 tensors`.
package struct Count: CustomStringConvertible, Sendable {
  private let count: Int
  private let noun: String

  /// `count` things called `noun`, the singular form; the plural adds an s.
  package init(_ count: Int, _ noun: String) {
    self.count = count
    self.noun = noun
  }

  package var description: String { count == 1 ? "1 \(noun)" : "\(count) \(noun)s" }
}
