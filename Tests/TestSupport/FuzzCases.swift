// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation

/// The number of cases that a test with random input tries: GGUFPACK_FUZZ_ITERATIONS if it is set.
package enum FuzzCases {
  private static let asked = ProcessInfo.processInfo.environment["GGUFPACK_FUZZ_ITERATIONS"].flatMap { Int($0) }

  /// Returns the requested number, or `usual`.
  package static func count(_ usual: Int = 10_000) -> Int { max(1, asked ?? usual) }
}
