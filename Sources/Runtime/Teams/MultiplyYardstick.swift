// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux
import Synchronization

/// The speed of multiplying bytes, against which the processing of a prompt is measured.
public struct MultiplyYardstick: Sendable, Hashable {
  /// The rate of all threads together, in 10^9 products of two bytes per second, multiplied and added up.
  public let gigaMultiplyAddsPerSecond: Double
  /// The name of the fastest instructions.
  public let instructions: String

  /// Measures with all threads multiplying at the same time. It tries each kind of instruction that this CPU has, and keeps the fastest.
  public init(_ teams: Teams) {
    var best: (rate: Double, loop: CInt) = (0, 0)
    for loop in 0..<cl_multiplying_count() {
      for _ in 0..<Self.passes {
        let rate = Self.rate(teams, loop)
        if rate > best.rate { best = (rate, loop) }
      }
    }
    gigaMultiplyAddsPerSecond = best.rate
    instructions = unsafe String(cString: cl_multiplying_name(best.loop))
  }

  private static let passes = 3
  private static let rounds: Int64 = 500_000

  private static func rate(_ teams: Teams, _ loop: CInt) -> Double {
    let nanoseconds = Atomic<UInt64>(0)
    let products = Atomic<Int64>(0)
    teams.run { worker in
      worker.barrier()
      let start = Clock.nanoseconds
      var count: Int64 = 0
      withExtendedLifetime(unsafe cl_multiplying_run(loop, rounds, &count)) {}
      products.add(count, ordering: .relaxed)
      nanoseconds.max(Clock.nanoseconds - start, ordering: .relaxed)
    }
    let taken = nanoseconds.load(ordering: .relaxed)
    return taken > 0 ? Double(products.load(ordering: .relaxed)) / Double(taken) : 0
  }
}
