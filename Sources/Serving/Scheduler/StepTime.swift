// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Generation
import JSON
import Synchronization

/// The number and duration of one model's steps, for prompts and answers. The model's thread writes it, and any thread may read it.
public final class StepTime: Sendable {
  private let stepCount = Atomic<Int>(0)
  private let nanoseconds = Atomic<Int>(0)

  init() {}

  /// The number of steps; each reads the weights once.
  public var steps: Int { stepCount.load(ordering: .relaxed) }
  /// Seconds that these steps took.
  public var seconds: Double { Double(nanoseconds.load(ordering: .relaxed)) / 1e9 }

  func note(_ seconds: Double) {
    stepCount.add(1, ordering: .relaxed)
    nanoseconds.add(Int(seconds * 1e9), ordering: .relaxed)
  }
}

/// The weights that the threads of one node have read.
public struct WeightTraffic: Sendable, Hashable {
  /// The node.
  public var node: Int
  /// The number of its threads.
  public var threads: Int
  /// Bytes of weights that a step reads there; a lower bound for models with experts.
  public var byteCountPerStep: Int
  /// Bytes of weights read so far.
  public var byteCount: Int
  /// 10^9 bytes per second, over the time of the steps; 0 if there were none.
  public var gigabytesPerSecond: Double

  /// Returns what models have read so far, by node.
  ///
  /// - Parameters:
  ///   - readings: For each model, what a step reads.
  ///   - times: For each model, its steps so far.
  public static func all(_ readings: [[StepReading]], _ times: [StepTime]) -> [WeightTraffic] {
    var traffic: [Int: WeightTraffic] = [:]
    for (readings, time) in zip(readings, times) {
      let (steps, seconds) = (time.steps, time.seconds)
      for reading in readings {
        var node =
          traffic[reading.node]
          ?? WeightTraffic(node: reading.node, threads: 0, byteCountPerStep: 0, byteCount: 0, gigabytesPerSecond: 0)
        let byteCount = reading.byteCount.multipliedReportingOverflow(by: steps).partialValue
        node.threads += reading.threads
        node.byteCountPerStep += reading.byteCount
        node.byteCount &+= byteCount
        // Models on the same node work at the same time, so their rates add up.
        node.gigabytesPerSecond += seconds > 0 ? Double(byteCount) / seconds / 1e9 : 0
        traffic[reading.node] = node
      }
    }
    return traffic.values.sorted { $0.node < $1.node }
  }

  /// The entry in the answer to `/placement`.
  public var document: JSONValue {
    [
      "node": .integer(Int128(node)), "threads": .integer(Int128(threads)),
      "byteCountPerStep": .integer(Int128(byteCountPerStep)), "byteCount": .integer(Int128(byteCount)),
      "gigabytesPerSecond": .number(gigabytesPerSecond),
    ]
  }
}
