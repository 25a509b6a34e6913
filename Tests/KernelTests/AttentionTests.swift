// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels
import Glibc
import TestSupport
import Testing

/// Attention over the interleaved half-precision cache.
@Suite("Attention")
struct AttentionTests {
  /// A problem with random queries, keys and values; each query has its own range of positions.
  struct Problem {
    var keyDim = 64, valueDim = 64
    var ranges: [Range<Int>]
    var positions: Int
    var softcap: Float = 0
    var hasSinks = false
    var queries: [Float] = []
    var keys: [Float] = []
    var values: [Float] = []
    var sinks: [Float] = []

    init(
      keyDim: Int = 64, valueDim: Int = 64, ranges: [Range<Int>], positions: Int? = nil, softcap: Float = 0, hasSinks: Bool = false,
      seed: UInt64 = 1
    ) {
      (self.keyDim, self.valueDim, self.ranges, self.softcap, self.hasSinks) = (keyDim, valueDim, ranges, softcap, hasSinks)
      self.positions = positions ?? ranges.reduce(0) { max($0, $1.upperBound) }
      var random = SplitMix64(seed: seed)
      queries = random.floats(ranges.count * keyDim, -1...1)
      // Rounded to halves, so that the expected result is computed from the same numbers.
      keys = random.floats(self.positions * keyDim, -1...1).map { Float(Float16($0)) }
      values = random.floats(self.positions * valueDim, -1...1).map { Float(Float16($0)) }
      sinks = random.floats(ranges.count, -2...2)
    }

    /// Returns the problem with only the queries in `range`.
    func part(_ range: Range<Int>) -> Problem {
      var part = self
      part.ranges = Array(ranges[range])
      part.queries = Array(queries[range.lowerBound * keyDim..<range.upperBound * keyDim])
      part.sinks = Array(sinks[range])
      return part
    }

    /// Returns the cache in half precision. Everything around the positions in use is poisoned with NaN.
    func halves(_ table: ck_table) -> (keys: [UInt8], values: [UInt8]) {
      let stride = valueDim
      var cache = [UInt16](repeating: 0x7e00, count: (positions + 15) / 16 * 16 * keyDim)
      var rows = [UInt16](repeating: 0x7e00, count: positions * stride)
      for p in 0..<positions {
        table.store_key(Array(keys[p * keyDim..<(p + 1) * keyDim]), Int64(keyDim), Int64(p), &cache)
        for i in 0..<valueDim { rows[p * stride + i] = Float16(values[p * valueDim + i]).bitPattern }
      }
      return (cache.withUnsafeBytes(Array.init), rows.withUnsafeBytes(Array.init))
    }

    /// Returns the cache in Q8_0. Bytes of all ones are NaN scales.
    func quants(_ table: ck_table) -> (keys: [UInt8], values: [UInt8]) {
      let stride = valueDim / 32 * 34
      var cache = [UInt8](repeating: 0xff, count: (positions + 15) / 16 * (keyDim / 32 * 544))
      var rows = [UInt8](repeating: 0xff, count: positions * stride)
      for p in 0..<positions {
        table.store_key_q8(Array(keys[p * keyDim..<(p + 1) * keyDim]), Int64(keyDim), Int64(p), &cache)
        var row = [UInt8](repeating: 0, count: valueDim / 32 * 34)
        table.store_value_q8(Array(values[p * valueDim..<(p + 1) * valueDim]), Int64(valueDim), &row)
        rows.replaceSubrange(p * stride..<p * stride + row.count, with: row)
      }
      return (cache, rows)
    }

    /// Returns the cache in single precision.
    func singles(_ table: ck_table) -> (keys: [UInt8], values: [UInt8]) {
      var cache = [Float](repeating: .nan, count: (positions + 15) / 16 * 16 * keyDim)
      for p in 0..<positions { table.store_key_f32(Array(keys[p * keyDim..<(p + 1) * keyDim]), Int64(keyDim), Int64(p), &cache) }
      return (cache.withUnsafeBytes(Array.init), values.withUnsafeBytes(Array.init))
    }

    /// Computes every query by itself, with its sections one after another in separate calls, and joins them.
    private func attendInSections(_ table: ck_table, _ whole: ck_attention) {
      for (query, range) in ranges.enumerated() {
        let length = Int(ck_attention_section(Int64(range.upperBound)))
        var outputs: [Float] = []
        var sums: [ck_attention_sum] = []
        for section in range.lowerBound / length...(range.upperBound - 1) / length {
          let part = range.clamped(to: section * length..<(section + 1) * length)
          var output = [Float](repeating: .nan, count: valueDim)
          var sum = ck_attention_sum()
          var (begin, end) = (Int32(part.lowerBound), Int32(part.upperBound))
          withUnsafePointer(to: &begin) { begin in
            withUnsafePointer(to: &end) { end in
              withUnsafeMutablePointer(to: &sum) { sum in
                output.withUnsafeMutableBufferPointer { output in
                  var a = whole
                  a.queries = whole.queries + query * keyDim
                  (a.query_count, a.begin, a.end, a.output, a.sums) = (1, begin, end, output.baseAddress, sum)
                  table.attention(&a)
                }
              }
            }
          }
          outputs += output
          sums.append(sum)
        }
        table.attention_join(
          outputs, sums, Int64(sums.count), Int64(valueDim), whole.sinks.map { $0 + query }, whole.output + query * (valueDim + 1))
      }
    }

    /// Returns the result of a table's kernel, over a cache in half precision, in Q8_0 or in single precision.
    func result(_ name: String, q8: Bool = false, single: Bool = false, sectioned: Bool = false) throws -> [Float] {
      let table = try Ops.table(name)
      var room = [Float](repeating: .nan, count: 32 * valueDim)
      let cache = q8 ? quants(table) : single ? singles(table) : halves(table)
      var output = [Float](repeating: 42, count: ranges.count * (valueDim + 1))
      let begin = ranges.map { Int32($0.lowerBound) }, end = ranges.map { Int32($0.upperBound) }
      func run(_ keys: UnsafeRawBufferPointer, _ values: UnsafeRawBufferPointer, _ output: UnsafeMutablePointer<Float>) {
        queries.withUnsafeBufferPointer { queries in
          begin.withUnsafeBufferPointer { begin in
            end.withUnsafeBufferPointer { end in
              sinks.withUnsafeBufferPointer { sinks in
                var a = ck_attention()
                a.queries = queries.baseAddress
                a.query_stride = Int64(keyDim)
                a.query_count = Int64(ranges.count)
                (a.begin, a.end) = (begin.baseAddress, end.baseAddress)
                if q8 {
                  (a.q8_keys, a.q8_values) = (
                    keys.bindMemory(to: UInt8.self).baseAddress, values.bindMemory(to: UInt8.self).baseAddress
                  )
                } else if single {
                  (a.f32_keys, a.f32_values) = (
                    keys.bindMemory(to: Float.self).baseAddress, values.bindMemory(to: Float.self).baseAddress
                  )
                } else {
                  (a.keys, a.values) = (
                    keys.bindMemory(to: UInt16.self).baseAddress, values.bindMemory(to: UInt16.self).baseAddress
                  )
                }
                (a.key_dim, a.value_dim) = (Int64(keyDim), Int64(valueDim))
                (a.scale, a.softcap) = (1 / Float(keyDim).squareRoot(), softcap)
                a.sinks = hasSinks ? sinks.baseAddress : nil
                (a.output, a.output_stride) = (output, Int64(valueDim + 1))
                sectioned
                  ? attendInSections(table, a)
                  : room.withUnsafeMutableBufferPointer { room in
                    a.section_output = room.baseAddress
                    table.attention(&a)
                  }
              }
            }
          }
        }
      }
      cache.keys.withUnsafeBytes { keys in cache.values.withUnsafeBytes { values in run(keys, values, &output) } }
      var result: [Float] = []
      for q in ranges.indices {
        result += output[q * (valueDim + 1)..<q * (valueDim + 1) + valueDim]
        #expect(output[q * (valueDim + 1) + valueDim] == 42, "writes past a query's output")
      }
      return result
    }

    /// Returns the problem with keys and values rounded as in Q8_0 blocks.
    func rounded(_ name: String) throws -> Problem {
      let table = try Ops.table(name)
      func rounded(_ x: [Float]) -> [Float] {
        var blocks = [UInt8](repeating: 0, count: x.count / 32 * 34), out = x
        table.store_value_q8(x, Int64(x.count), &blocks)
        table.dequantize(UInt32(WT_Q8_0.rawValue), blocks, 0, Int64(x.count), &out)
        return out
      }
      var problem = self
      problem.keys = rounded(keys)
      problem.values = rounded(values)
      return problem
    }

    /// Computes the definition in double precision.
    func truth() -> [Double] {
      let scale = Double(1 / Float(keyDim).squareRoot())
      return ranges.indices.flatMap { q in
        var scores = ranges[q].map { p in
          (0..<keyDim).reduce(0.0) { $0 + Double(queries[q * keyDim + $1]) * Double(keys[p * keyDim + $1]) } * scale
        }
        if softcap > 0 { scores = scores.map { Double(softcap) * tanh($0 / Double(softcap)) } }
        let weights = scores.map { exp($0) }
        let sum = weights.reduce(0, +) + (hasSinks ? exp(Double(sinks[q])) : 0)
        return (0..<valueDim).map { i in
          zip(ranges[q], weights).reduce(0.0) { $0 + $1.1 * Double(values[$1.0 * valueDim + i]) } / sum
        }
      }
    }
  }

  static let problems: [(String, Problem)] = [
    ("one query, one position", Problem(ranges: [0..<1])),
    ("one query, blocks and a rest", Problem(ranges: [0..<200])),
    ("a window that begins within a group of 16", Problem(ranges: [77..<203, 78..<204, 79..<205])),
    ("causal", Problem(ranges: (0..<40).map { 0..<($0 + 30) })),
    (
      "causal, from the first position, two heads each",
      Problem(keyDim: 32, valueDim: 32, ranges: (0..<70).map { 0..<($0 / 2 + 1) })
    ),
    ("windows", Problem(ranges: (0..<37).map { max(0, $0 - 20)..<($0 + 1) })),
    ("ranges without order or overlap", Problem(ranges: [130..<190, 0..<5, 60..<70, 64..<128, 3..<150])),
    ("softcap", Problem(ranges: [0..<100, 0..<101, 0..<102], softcap: 0.5)),
    ("sinks", Problem(ranges: [0..<70, 5..<71], hasSinks: true)),
    ("odd dimensions", Problem(keyDim: 33, valueDim: 41, ranges: (0..<5).map { 0..<(90 + $0) })),
    ("latent attention", Problem(keyDim: 576, valueDim: 512, ranges: [0..<35, 0..<35, 0..<36])),
    ("long", Problem(keyDim: 16, valueDim: 16, ranges: [0..<3000])),
    (
      "sections that queries enter one after the other", Problem(keyDim: 32, valueDim: 32, ranges: (0..<40).map { 0..<($0 + 1000) })
    ),
    ("windows over a section's end", Problem(keyDim: 32, valueDim: 32, ranges: (0..<40).map { $0 + 440..<($0 + 500) })),
    ("sections and sinks", Problem(keyDim: 32, valueDim: 40, ranges: [0..<1025, 511..<1600, 3..<512], hasSinks: true)),
    ("longer sections", Problem(keyDim: 16, valueDim: 16, ranges: [0..<16384, 0..<16385, 900..<16400])),
  ]

  @Test("A cache in single precision gives the same bits as one in half precision with the same numbers", arguments: Ops.names)
  func single(_ name: String) throws {
    for (keyDim, valueDim) in [(64, 64), (37, 21), (144, 128)] {
      let ranges = [0..<1, 0..<70, 5..<130, 64..<128, 0..<200, 1..<2, 100..<200]
      let problem = Problem(
        keyDim: keyDim, valueDim: valueDim, ranges: ranges, softcap: keyDim == 37 ? 5 : 0, hasSinks: keyDim == 144)
      #expect(try problem.result(name, single: true).map(\.bitPattern) == problem.result(name).map(\.bitPattern))
    }
  }

  @Test("Attention is the softmax of the scores times the values", arguments: Ops.names, problems.indices)
  func accuracy(_ name: String, _ index: Int) throws {
    let (label, problem) = Self.problems[index]
    for (i, (x, y)) in zip(try problem.result(name), problem.truth()).enumerated() {
      guard abs(Double(x) - y) < 3e-6 else {
        Issue.record("\(label): element \(i) is \(x), not \(y)")
        return
      }
    }
  }

  @Test("Every table gives the portable table's bits", arguments: Ops.names, problems.indices)
  func bits(_ name: String, _ index: Int) throws {
    let (label, problem) = Self.problems[index]
    #expect(Ops.bits(try problem.result(name)) == Ops.bits(try problem.result("portable")), "\(label)")
  }

  @Test("Sections that are computed separately and joined give the same bits", arguments: Ops.names, problems.indices)
  func sections(_ name: String, _ index: Int) throws {
    let (label, problem) = Self.problems[index]
    #expect(Ops.bits(try problem.result(name, sectioned: true)) == Ops.bits(try problem.result(name)), "\(label)")
  }

  /// The problems whose dimensions are whole blocks.
  static let q8Problems = problems.indices.filter { problems[$0].1.keyDim % 32 == 0 && problems[$0].1.valueDim % 32 == 0 }

  @Test("Attention over a Q8_0 cache is attention over the rounded keys and values", arguments: Ops.names, q8Problems)
  func quantized(_ name: String, _ index: Int) throws {
    let (label, problem) = Self.problems[index]
    let result = try problem.result(name, q8: true)
    #expect(Ops.bits(result) == Ops.bits(try problem.result("portable", q8: true)), "\(label)")
    for (i, (x, y)) in zip(result, try problem.rounded(name).truth()).enumerated() {
      guard abs(Double(x) - y) < 3e-6 else {
        Issue.record("\(label): element \(i) is \(x), not \(y)")
        return
      }
    }
  }

  @Test("A Q8_0 cache rounds to the nearest of 255 steps", arguments: Ops.names)
  func rounding(_ name: String) throws {
    let problem = Problem(ranges: [0..<40])
    let rounded = try problem.rounded(name)
    for block in 0..<problem.values.count / 32 {
      let x = problem.values[block * 32..<block * 32 + 32], y = rounded.values[block * 32..<block * 32 + 32]
      let step = x.reduce(0) { max($0, abs($1)) } / 127
      for (x, y) in zip(x, y) { #expect(abs(x - y) <= step * 0.57) }
    }
    var zeros = [UInt8](repeating: 1, count: 34)
    try Ops.table(name).store_value_q8([Float](repeating: 0, count: 32), 32, &zeros)
    #expect(zeros == [UInt8](repeating: 0, count: 34))
  }

  @Test("A query's result does not depend on the queries computed with it", arguments: Ops.names)
  func independence(_ name: String) throws {
    let problem = Problem(ranges: (0..<43).map { max(0, $0 - 30)..<($0 + 60) }, hasSinks: true)
    let together = try problem.result(name)
    for size in [1, 2, 3, 5, 32] {
      var apart: [Float] = []
      for first in stride(from: 0, to: 43, by: size) { apart += try problem.part(first..<min(43, first + size)).result(name) }
      #expect(apart == together, "in parts of \(size)")
    }
  }

  @Test("Values at positions that a query does not see may be infinite", arguments: Ops.names)
  func unseen(_ name: String) throws {
    var problem = Problem(ranges: [10..<90, 20..<100, 30..<110, 40..<120])
    let clean = try problem.result(name)
    for p in [9, 110] {
      for i in 0..<64 { problem.values[p * 64 + i] = .infinity }
    }
    let result = try problem.result(name)
    #expect(Array(result[..<192]) == Array(clean[..<192]))
    #expect(result[192...].allSatisfy { !$0.isFinite } == true)
  }

  @Test("Large and infinite scores do not spoil the rest", arguments: Ops.names)
  func large(_ name: String) throws {
    var problem = Problem(keyDim: 16, valueDim: 16, ranges: [0..<100])
    // The scores rise by hundreds from block to block, and one in the first block is minus infinity.
    problem.queries = [Float](repeating: 100, count: 16)
    for p in 0..<100 {
      for i in 0..<16 { problem.keys[p * 16 + i] = Float(p / 10) }
    }
    problem.keys[3 * 16] = -.infinity
    let mean = (0..<16).map { i in (90..<100).reduce(0.0) { $0 + Double(problem.values[$1 * 16 + i]) } / 10 }
    for (x, y) in zip(try problem.result(name), mean) { #expect(abs(Double(x) - y) < 1e-6) }
  }
}
