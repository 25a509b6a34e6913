// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels
import CLoops
import Foundation
import GGUF

/// The median measurements of one kernel.
struct Measurement: Codable {
  var phase: String
  var type: String
  var isa: String
  var threads: Int
  var seconds: Double
  var gigabytesPerSecond: Double
  /// The rate of the plain reading loop in the same run; decode only.
  var streamGigabytesPerSecond: Double?
  var multiplyAddsPerSecond: Double
  /// The rate that two multiplying instructions per cycle would give; prefill only; nil if that is not a meaningful limit.
  var limitMultiplyAddsPerCycle: Double?

  /// Measures one column, alternating with a loop that only reads.
  static func decode(_ problem: Problem, _ table: ck_table, threads: Int32, runs: Int, fastest: Bool) -> Measurement? {
    guard let kernel = kernel(table, problem.type) else { return nil }
    let parts = (0..<Int(threads)).map { problem.part($0, of: Int(threads)) }
    var bytes = memory(
      bytes: UnsafePointer(problem.weights.assumingMemoryBound(to: UInt8.self)), count: Int64(problem.weightByteCount))
    var kernelSeconds: [Double] = [], streamSeconds: [Double] = []
    for _ in 0..<runs {
      streamSeconds.append(timed(threads, read_memory, &bytes))
      kernelSeconds.append(time(parts, kernel))
    }
    let stream = Double(problem.weightByteCount) / typical(streamSeconds, fastest: fastest) / 1e9
    return Measurement("decode", problem, table, threads, typical(kernelSeconds, fastest: fastest), stream)
  }

  /// Measures many columns.
  static func prefill(_ problem: Problem, _ table: ck_table, threads: Int32, runs: Int, fastest: Bool) -> Measurement? {
    guard let kernel = kernel(table, problem.type) else { return nil }
    let parts = (0..<Int(threads)).map { problem.part($0, of: Int(threads)) }
    return Measurement(
      "prefill", problem, table, threads, typical((0..<runs).map { _ in time(parts, kernel) }, fastest: fastest), nil)
  }

  private init(_ phase: String, _ problem: Problem, _ table: ck_table, _ threads: Int32, _ seconds: Double, _ stream: Double?) {
    (self.phase, type, isa, self.threads) = (phase, problem.type.name, String(cString: table.name), Int(threads))
    self.seconds = seconds
    gigabytesPerSecond = Double(problem.weightByteCount) / seconds / 1e9
    streamGigabytesPerSecond = stream
    multiplyAddsPerSecond = problem.multiplyAdds / seconds
    limitMultiplyAddsPerCycle = phase == "prefill" ? Limit.multiplyAddsPerCycle(problem.type, isa) : nil
  }

  private static func kernel(_ table: ck_table, _ type: WeightType) -> ck_matmul_function? {
    withUnsafeBytes(of: table.matmul16) { $0.assumingMemoryBound(to: ck_matmul_function?.self)[Int(type.rawValue)] }
  }

  private struct Work {
    let kernel: ck_matmul_function
    let parts: UnsafePointer<ck_matmul>
  }

  /// Returns the seconds that the work takes with one thread for each part.
  private static func time(_ parts: [ck_matmul], _ kernel: ck_matmul_function) -> Double {
    parts.withUnsafeBufferPointer { parts in
      guard let first = parts.baseAddress else { return 0 }
      var work = Work(kernel: kernel, parts: first)
      return timed(
        Int32(parts.count),
        { context, thread, _ in
          guard let work = context?.assumingMemoryBound(to: Work.self).pointee else { return }
          work.kernel(work.parts + Int(thread))
        }, &work)
    }
  }

  /// Returns the smallest of the values, or their median.
  static func typical(_ values: [Double], fastest: Bool) -> Double { values.sorted()[fastest ? 0 : values.count / 2] }

  static func text(_ value: Double, _ width: Int = 0) -> String {
    let text = String(format: "%.\(value < 10 ? 2 : 1)f", value)
    return String(repeating: " ", count: max(0, width - text.count)) + text
  }

  static let heading = "phase    type     instructions  threads     GB/s  of reading   Gmadd/s  madd/cycle/thread  of limit"

  func row(gigahertz: Double) -> String {
    func left(_ text: String, _ width: Int) -> String { text.padding(toLength: width, withPad: " ", startingAt: 0) }
    let share =
      streamGigabytesPerSecond.map { Self.text(100 * gigabytesPerSecond / $0, 9) + " %" } ?? String(repeating: " ", count: 11)
    let perCycle = multiplyAddsPerSecond / 1e9 / gigahertz / Double(threads)
    let ofLimit = limitMultiplyAddsPerCycle.map { Self.text(100 * perCycle / $0, 8) + " %" } ?? ""
    return left(phase, 9) + left(type, 9) + left(isa, 14) + left(String(threads), 7) + Self.text(gigabytesPerSecond, 9) + " "
      + share
      + Self.text(multiplyAddsPerSecond / 1e9, 10) + Self.text(perCycle, 19) + ofLimit
  }
}
