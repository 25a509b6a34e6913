// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels
import Glibc
import TestSupport
import Testing

/// The element-wise operations, norms and rotations: they are right, and the same bit for bit in every table.
@Suite("Layer operations")
struct OpsTests {
  static let sizes = [1, 2, 15, 16, 17, 31, 32, 33, 64, 100, 257]

  /// Returns the results of every operation on inputs of `n` floats, by name.
  static func results(_ name: String, _ n: Int, _ a: [Float], _ b: [Float]) throws -> [(String, [Float])] {
    let table = try Ops.table(name)
    var results: [(String, [Float])] = []
    func run(_ name: String, count: Int? = nil, _ body: (inout [Float]) -> Void) {
      // What lies after the output must not change.
      var out = [Float](repeating: 42, count: (count ?? n) + 1)
      body(&out)
      #expect(out.last == 42, "\(name) writes past its output")
      results.append((name, Array(out.dropLast())))
    }
    let size = Int64(n)
    run("add") { table.add(a, b, size, &$0) }
    run("multiply") { table.multiply(a, b, size, &$0) }
    run("add_scaled") { table.add_scaled(a, b, 0.3, size, &$0) }
    run("scale") { table.scale(a, 1.7, size, &$0) }
    run("silu_multiply") { table.silu_multiply(a, b, size, &$0) }
    run("gelu_multiply") { table.gelu_multiply(a, b, size, &$0) }
    run("swiglu_clamped") { table.swiglu_clamped(a, b, 1.702, 7, size, &$0) }
    run("swiglu_limited") { table.swiglu_limited(a, b, 2, size, &$0) }
    run("situ_multiply") { table.situ_multiply(a, b, 2, 3, size, &$0) }
    run("situ_multiply without linear") { table.situ_multiply(a, b, 2, 0, size, &$0) }
    run("logistic_multiply") { table.logistic_multiply(a, b, size, &$0) }
    run("center") { table.center(a, size, &$0) }
    run("rms_norm") { table.rms_norm(a, b, 1e-6, size, &$0) }
    run("rms_norm without weight") { table.rms_norm(a, nil, 1e-6, size, &$0) }
    run("softmax") { out in
      out.replaceSubrange(..<n, with: a)
      table.softmax(&out, size)
    }
    let angles = (0..<n).map { Float($0) * 0.37 }
    let cosines = angles.map { cosf($0) }, sines = angles.map { sinf($0) }
    run("rope_halves", count: 2 * n) { out in
      out.replaceSubrange(..<(2 * n), with: a + b)
      table.rope_halves(&out, cosines, sines, 2 * size)
    }
    run("rope_adjacent", count: 2 * n) { out in
      out.replaceSubrange(..<(2 * n), with: a + b)
      table.rope_adjacent(&out, cosines, sines, 2 * size)
    }
    var halves = [UInt16](repeating: 0, count: n)
    table.to_f16(a, size, &halves)
    results.append(("to_f16", halves.map { Float(bitPattern: UInt32($0)) }))
    run("from_f16") { table.from_f16(halves, size, &$0) }
    var keys = [UInt16](repeating: 0, count: 32 * n)
    table.store_key(a, size, 19, &keys)
    results.append(("store_key", keys.map { Float(bitPattern: UInt32($0)) }))
    return results
  }

  @Test("Every table gives the portable table's bits", arguments: Ops.names, sizes)
  func bits(_ name: String, _ n: Int) throws {
    var random = SplitMix64(seed: UInt64(n))
    let a = random.floats(n), b = random.floats(n)
    let extreme = (0..<n).map { Ops.extremes[$0 % Ops.extremes.count] }
    for (a, b) in [(a, b), (extreme, b), (a, extreme), (random.floats(n, -100...100), a)] {
      for (ours, portable) in zip(try Self.results(name, n, a, b), try Self.results("portable", n, a, b)) {
        let isHalves = ["to_f16", "store_key"].contains(ours.0)
        let same = isHalves ? ours.1.map(\.bitPattern) == portable.1.map(\.bitPattern) : Ops.bits(ours.1) == Ops.bits(portable.1)
        #expect(same, "\(ours.0)")
      }
    }
  }

  /// Returns the result of an operation in double precision.
  static func truth(_ name: String, _ a: [Double], _ b: [Double]) -> [Double]? {
    let n = a.count
    func product(_ x: Double, logistic u: Double) -> Double { x / (1 + exp(-u)) }
    switch name {
    case "add": return zip(a, b).map { $0 + $1 }
    case "multiply": return zip(a, b).map { $0 * $1 }
    case "add_scaled": return zip(a, b).map { $0 + $1 * Double(Float(0.3)) }
    case "scale": return a.map { $0 * Double(Float(1.7)) }
    case "silu_multiply": return zip(a, b).map { product($0, logistic: $0) * $1 }
    case "gelu_multiply":
      return zip(a, b).map { x, y in 0.5 * x * (1 + tanh((2 / Double.pi).squareRoot() * x * (1 + 0.044715 * x * x))) * y }
    case "swiglu_clamped":
      return zip(a, b).map { gate, up in
        let g = min(gate, 7)
        return product(g, logistic: Double(Float(1.702)) * g) * (max(-7, min(7, up)) + 1)
      }
    case "swiglu_limited":
      return zip(a, b).map { gate, up in min(product(gate, logistic: gate), 2) * max(-2, min(2, up)) }
    case "situ_multiply":
      return zip(a, b).map { gate, up in product(2 * tanh(gate / 2), logistic: gate) * 3 * tanh(up / 3) }
    case "situ_multiply without linear":
      return zip(a, b).map { gate, up in product(2 * tanh(gate / 2), logistic: gate) * up }
    case "logistic_multiply": return zip(a, b).map { product($0, logistic: $1) }
    case "center":
      let mean = a.reduce(0, +) / Double(n)
      return a.map { $0 - mean }
    case "rms_norm", "rms_norm without weight":
      let s = 1 / (a.reduce(0) { $0 + $1 * $1 } / Double(n) + 1e-6).squareRoot()
      return zip(a, b).map { name == "rms_norm" ? $0 * s * $1 : $0 * s }
    case "softmax":
      let greatest = a.reduce(-Double.infinity, max)
      let e = a.map { exp($0 - greatest) }
      return e.map { $0 / e.reduce(0, +) }
    case "rope_halves", "rope_adjacent":
      let input = a + b
      var out = input
      for i in 0..<n {
        let first = name == "rope_halves" ? i : 2 * i, second = name == "rope_halves" ? n + i : 2 * i + 1
        let angle = Double(Float(i) * 0.37)
        out[first] = input[first] * cos(angle) - input[second] * sin(angle)
        out[second] = input[first] * sin(angle) + input[second] * cos(angle)
      }
      return out
    case "from_f16": return a.map { Double(Float(Float16(Float($0)))) }
    default: return nil
    }
  }

  @Test("The results match double precision except for rounding", arguments: Ops.names, [1, 16, 37, 257])
  func accuracy(_ name: String, _ n: Int) throws {
    var random = SplitMix64(seed: UInt64(n) + 99)
    let a = random.floats(n, -9...9), b = random.floats(n, -9...9)
    for (operation, result) in try Self.results(name, n, a, b) {
      guard let truth = Self.truth(operation, a.map(Double.init), b.map(Double.init)) else { continue }
      for (i, (x, y)) in zip(result, truth).enumerated() {
        #expect(abs(Double(x) - y) <= 2e-6 * abs(y) + 2e-6, "\(operation)[\(i)]: \(x), not \(y)")
      }
    }
  }

  @Test("Outputs may be inputs where the header says so", arguments: Ops.names)
  func inPlace(_ name: String) throws {
    let table = try Ops.table(name)
    var random = SplitMix64(seed: 7)
    let n = 37, size = Int64(n)
    let a = random.floats(n), b = random.floats(n)
    typealias Operation = (UnsafePointer<Float>, UnsafePointer<Float>, UnsafeMutablePointer<Float>) -> Void
    let operations: [(String, Operation)] = [
      ("add", { table.add($0, $1, size, $2) }),
      ("multiply", { table.multiply($0, $1, size, $2) }),
      ("add_scaled", { table.add_scaled($0, $1, 0.5, size, $2) }),
      ("scale", { x, _, out in table.scale(x, 0.5, size, out) }),
      ("silu_multiply", { table.silu_multiply($0, $1, size, $2) }),
      ("logistic_multiply", { table.logistic_multiply($0, $1, size, $2) }),
      ("center", { x, _, out in table.center(x, size, out) }),
      ("rms_norm", { table.rms_norm($0, $1, 1e-5, size, $2) }),
    ]
    for (name, operation) in operations {
      var apart = [Float](repeating: 0, count: n), inPlace = a
      operation(a, b, &apart)
      inPlace.withUnsafeMutableBufferPointer { buffer in
        guard let start = buffer.baseAddress else { return }
        operation(start, b, start)
      }
      #expect(apart == inPlace, "\(name)")
    }
  }

  @Test("exp is within 2 units in the last place, from the smallest subnormal number to infinity", arguments: Ops.names)
  func exponential(_ name: String) throws {
    let table = try Ops.table(name)
    // softmax of (0, x) for x far below zero is exp(x) / (1 + exp(x)), and 1 + exp(x) is 1 for x below -17.
    for step in 0..<4000 {
      let x = -17.5 - Float(step) * 0.02165
      var pair: [Float] = [0, x]
      table.softmax(&pair, 2)
      let truth = exp(Double(x))
      let ulp = max(Double(Float(truth).ulp), Double(Float.leastNonzeroMagnitude))
      #expect(abs(Double(pair[1]) - truth) <= 2 * ulp, "exp(\(x)) is \(pair[1]), not \(truth)")
    }
  }

  @Test("Operations keep their meaning at extreme values", arguments: Ops.names)
  func extremes(_ name: String) throws {
    let table = try Ops.table(name)
    let gate: [Float] = [.nan, 0, -0.0, 1e30, -1e30, .infinity, -200]
    let ones = [Float](repeating: 1, count: gate.count)
    var out = ones
    table.silu_multiply(gate, ones, Int64(gate.count), &out)
    #expect(out[0].isNaN)
    #expect(out[1...] == [0, -0.0, 1e30, -0.0, .infinity, -0.0])
    table.gelu_multiply(gate, ones, Int64(gate.count), &out)
    #expect(out[0].isNaN)
    #expect(out[1...] == [0, -0.0, 1e30, -0.0, .infinity, -0.0])
    table.swiglu_clamped(gate, ones, 1.702, 7, Int64(gate.count), &out)
    #expect(out[0].isNaN)
    #expect(out[3] == out[5], "both are clamped to the limit")
    var scores: [Float] = [-.infinity, 3, -.infinity, 3]
    table.softmax(&scores, 4)
    #expect(scores == [0, 0.5, 0, 0.5])
    scores[2] = .nan
    table.softmax(&scores, 4)
    #expect(scores.filter(\.isNaN).count == 4)
  }

  @Test("Conversion covers all 65536 IEEE halves, and rounds to nearest even", arguments: Ops.names)
  func halves(_ name: String) throws {
    let table = try Ops.table(name)
    let all = (0...UInt16.max).map { $0 }
    var floats = [Float](repeating: 0, count: all.count)
    table.from_f16(all, Int64(all.count), &floats)
    for (half, float) in zip(all, floats) {
      let truth = Float(Float16(bitPattern: half))
      guard truth.isNaN ? float.isNaN : truth.bitPattern == float.bitPattern else {
        Issue.record("half \(half) gives \(float), not \(truth)")
        return
      }
    }
    // The halves themselves, the midpoints between neighbours, and the floats next to these.
    let finite = floats.filter(\.isFinite)
    let middles = zip(finite, finite.dropFirst()).map { ($0 + $1) / 2 }
    for inputs in [floats, middles, middles.map(\.nextUp), middles.map(\.nextDown)] {
      var halves = [UInt16](repeating: 0, count: inputs.count)
      table.to_f16(inputs, Int64(inputs.count), &halves)
      for (input, half) in zip(inputs, halves) where Float16(bitPattern: half) != Float16(input) {
        guard Float16(bitPattern: half).isNaN, input.isNaN else {
          Issue.record("\(input) gives \(Float16(bitPattern: half)), not \(Float16(input))")
          return
        }
      }
    }
  }
}
