// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Overflow-checked arithmetic for numbers read from files, which can have any value.
extension Int {
  /// Returns the sum, or nil on overflow.
  package func adding(_ other: Int) -> Int? {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? nil : sum
  }

  /// Returns the product, or nil on overflow.
  package func multiplied(by other: Int) -> Int? {
    let (product, overflow) = multipliedReportingOverflow(by: other)
    return overflow ? nil : product
  }
}
