// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Generation
import JSON
import Synchronization

/// The steps of one model so far, of prompts and answers: written by the model's thread, read by any.
public final class StepTime: Sendable {
  private let stepCount = Atomic<Int>(0)
  private let nanoseconds = Atomic<Int>(0)

  init() {}

  /// Steps; each reads the weights once.
  public var steps: Int { stepCount.load(ordering: .relaxed) }
  /// Seconds that they took.
  public var seconds: Double { Double(nanoseconds.load(ordering: .relaxed)) / 1e9 }

  func note(_ seconds: Double) {
    stepCount.add(1, ordering: .relaxed)
    nanoseconds.add(Int(seconds * 1e9), ordering: .relaxed)
  }
}

/// What the threads of one node have read of their weights.
public struct WeightTraffic: Sendable, Hashable {
  /// The node.
  public var node: Int
  /// Its threads.
  public var threads: Int
  /// Bytes of weights that a step reads there, at least.
  public var byteCountPerStep: Int
  /// Bytes so far.
  public var byteCount: Int
  /// 10^9 bytes per second, while steps were made; 0 if there was none.
  public var gigabytesPerSecond: Double

  /// What models have read so far, by node.
  ///
  /// - Parameters:
  ///   - readings: Of each model, what a step reads.
  ///   - times: Of each model, its steps so far.
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
        // Models of one node work at the same time.
        node.gigabytesPerSecond += seconds > 0 ? Double(byteCount) / seconds / 1e9 : 0
        traffic[reading.node] = node
      }
    }
    return traffic.values.sorted { $0.node < $1.node }
  }

  /// What `/placement` tells of it.
  public var document: JSONValue {
    [
      "node": .integer(Int128(node)), "threads": .integer(Int128(threads)),
      "byteCountPerStep": .integer(Int128(byteCountPerStep)), "byteCount": .integer(Int128(byteCount)),
      "gigabytesPerSecond": .number(gigabytesPerSecond),
    ]
  }
}
