// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// So many of something, in the singular where it is one: `1 tensor`, `2 tensors`.
package struct Count: CustomStringConvertible, Sendable {
  private let count: Int
  private let noun: String

  /// `count` things that are called `noun` in the singular and get an s in the plural.
  package init(_ count: Int, _ noun: String) {
    self.count = count
    self.noun = noun
  }

  package var description: String { count == 1 ? "1 \(noun)" : "\(count) \(noun)s" }
}
