// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation

/// How many cases a test with random input tries: GGUFPACK_FUZZ_ITERATIONS, if that is set.
package enum FuzzCases {
  private static let asked = ProcessInfo.processInfo.environment["GGUFPACK_FUZZ_ITERATIONS"].flatMap { Int($0) }

  /// The number that was asked for, or `usual`.
  package static func count(_ usual: Int = 10_000) -> Int { max(1, asked ?? usual) }
}
