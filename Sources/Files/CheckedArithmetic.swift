// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Arithmetic on numbers from files, which may be anything.
extension Int {
  /// The sum; nil on overflow.
  package func adding(_ other: Int) -> Int? {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? nil : sum
  }

  /// The product; nil on overflow.
  package func multiplied(by other: Int) -> Int? {
    let (product, overflow) = multipliedReportingOverflow(by: other)
    return overflow ? nil : product
  }
}
