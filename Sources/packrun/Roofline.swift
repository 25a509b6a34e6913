// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Console
import Doctor
import Files
import Generation
import JSON
import ModelConsole
import PackRuntime

/// A benchmark's results compared with the limits of this machine's memory and multiplying units.
struct Roofline {
  private let cost: TokenCost
  private let memory: MemoryYardstick?
  private let multiplying: MultiplyYardstick
  private let sequences: Int
  private let models: Int
  private let depth: Int

  /// Measures the limits with the session's threads.
  init(_ session: Session, sequences: Int, depth: Int) {
    cost = TokenCost(session)
    // If there is no room for the measurement, there is no limit to compare with.
    memory = try? MemoryYardstick(session.teams)
    multiplying = MultiplyYardstick(session.teams)
    self.sequences = sequences
    models = session.group.models.count
    self.depth = depth
  }

  /// Returns the reading rate of a generation test in 10^9 bytes per second.
  ///
  /// It is nil for a prompt, and if experts are chosen for several tokens at a time: the same experts may be chosen, and are then read only
  /// once.
  private func gigabytesPerSecond(_ test: Test) -> Double? {
    guard !test.isPrompt, sequences == 1 || !cost.choosesExperts else { return nil }
    let cache = cost.cacheByteCount(after: Double(depth) + Double(test.tokens) / 2)
    let step = Double(models * cost.weightByteCount) + Double(sequences) * cache
    return test.rate.mean / Double(sequences) * step / 1e9
  }

  private func gigaMultiplyAddsPerSecond(_ test: Test) -> Double? {
    test.isPrompt ? test.rate.mean * Double(cost.multiplyAdds) / 1e9 : nil
  }

  /// Returns a line for each test.
  func lines(_ tests: [Test]) -> [String] {
    tests.compactMap { test in
      if let rate = gigaMultiplyAddsPerSecond(test) {
        let part = 100 * rate / multiplying.gigaMultiplyAddsPerSecond
        return
          "\(test.name): \(Decimal(Double(cost.multiplyAdds) / 1e6, 1)) million multiply-adds per token, \(Decimal(rate, 1)) billion per second: \(Decimal(part, 0)) % of the \(Decimal(multiplying.gigaMultiplyAddsPerSecond, 1)) that these threads do (\(multiplying.instructions))"
      }
      guard let rate = gigabytesPerSecond(test) else { return nil }
      let cache = Int(cost.cacheByteCount(after: Double(depth) + Double(test.tokens) / 2))
      let reading =
        "\(test.name): \(ByteCount(cost.weightByteCount)) of weights and \(ByteCount(cache)) of keys and values per token, \(Decimal(rate, 1)) GB/s"
      guard let memory else { return "\(reading); too little memory is free to measure the limit" }
      let part = 100 * rate / memory.gigabytesPerSecond
      return
        "\(reading): \(Decimal(part, 0)) % of the \(Decimal(memory.gigabytesPerSecond, 1)) that these threads read from memory (\(memory.loop))"
    }
  }

  /// Returns a test in the form for the picture of a benchmark.
  func bar(_ test: Test) -> BenchPicture.Test {
    test.isPrompt
      ? BenchPicture.Test(
        name: test.name, rate: test.rate.mean, deviation: test.rate.deviation, used: gigaMultiplyAddsPerSecond(test),
        limit: multiplying.gigaMultiplyAddsPerSecond, unit: "billion multiply-adds/s", source: multiplying.instructions)
      : BenchPicture.Test(
        name: test.name, rate: test.rate.mean, deviation: test.rate.deviation, used: gigabytesPerSecond(test),
        limit: memory?.gigabytesPerSecond, unit: "GB/s", source: "memory")
  }

  /// Adds what a test reached to its document.
  func add(_ test: Test, to json: inout JSONObject) {
    if let rate = gigabytesPerSecond(test) {
      json.set("gigabytesPerSecond", rate)
      if let memory { json.set("percentOfMemory", 100 * rate / memory.gigabytesPerSecond) }
    }
    if let rate = gigaMultiplyAddsPerSecond(test) {
      json.set("gigaMultiplyAddsPerSecond", rate)
      json.set("percentOfMultiplying", 100 * rate / multiplying.gigaMultiplyAddsPerSecond)
    }
  }

  /// The limits, and the work per token, as a document.
  var limits: JSONObject {
    var json = JSONObject()
    json.set("weightByteCountPerToken", cost.weightByteCount)
    json.set("cacheByteCountPerPosition", cost.cacheByteCountPerPosition)
    json.set("multiplyAddsPerToken", cost.multiplyAdds)
    if let memory {
      json.set("memoryGigabytesPerSecond", memory.gigabytesPerSecond)
      json.set("memoryLoop", memory.loop)
    }
    json.set("gigaMultiplyAddsPerSecond", multiplying.gigaMultiplyAddsPerSecond)
    json.set("multiplyInstructions", multiplying.instructions)
    return json
  }
}
