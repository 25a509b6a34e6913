// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels
import Glibc
import TestSupport
import Testing

/// Attention over caches in half precision, in Q8_0 and of latents.
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

    /// Returns a cache of latents, which has only keys.
    func latents(_ table: ck_table) -> (keys: [UInt8], values: [UInt8]) {
      var cache = [Float](repeating: .nan, count: (positions + 15) / 16 * 16 * keyDim)
      for p in 0..<positions { table.store_latent(Array(keys[p * keyDim..<(p + 1) * keyDim]), Int64(keyDim), Int64(p), &cache) }
      return (cache.withUnsafeBytes(Array.init), [])
    }

    /// Returns the problem with each value replaced by the beginning of its key.
    var withValuesFromKeys: Problem {
      var problem = self
      for p in 0..<positions {
        problem.values.replaceSubrange(p * valueDim..<(p + 1) * valueDim, with: keys[p * keyDim..<p * keyDim + valueDim])
      }
      return problem
    }

    /// How `result` cuts the problem into calls: one call for each section of each `queryCount` queries, if their sections have the
    /// same length.
    struct Cut {
      var queryCount = 1
      /// Whether sections have the length that they have for latents.
      var forLatents = false
    }

    /// Computes every section in a call of its own, and joins them.
    private func attend(_ table: ck_table, _ whole: ck_attention, _ cut: Cut) {
      let lengths = ranges.map { range in
        let end = Int64(range.upperBound)
        return Int(cut.forLatents ? ck_latent_section(end) : ck_attention_section(end))
      }
      for first in stride(from: 0, to: ranges.count, by: cut.queryCount) {
        let group = first..<min(first + cut.queryCount, ranges.count)
        for length in Set(lengths[group]) {
          let members = group.filter { lengths[$0] == length }
          let last = members.reduce(0) { max($0, ranges[$1].upperBound - 1) } / length
          let parts = (0...last).map { sums(table, whole, members, within: $0 * length..<($0 + 1) * length) }
          for (index, member) in members.enumerated() {
            let seen = ranges[member].lowerBound / length...(ranges[member].upperBound - 1) / length
            table.attention_join(
              seen.flatMap { parts[$0].outputs[index] }, seen.map { parts[$0].sums[index] }, Int64(seen.count), Int64(valueDim),
              whole.sinks.map { $0 + member }, whole.output + member * (valueDim + 1))
          }
        }
      }
    }

    /// Returns the outputs and sums of some queries for the positions of one section. A query that sees none of them has sum 0.
    private func sums(
      _ table: ck_table, _ whole: ck_attention, _ members: [Int], within section: Range<Int>
    ) -> (outputs: [[Float]], sums: [ck_attention_sum]) {
      let rows = members.flatMap { queries[$0 * keyDim..<($0 + 1) * keyDim] }
      let end = members.map { Int32(min(ranges[$0].upperBound, section.upperBound)) }
      let begin = zip(members, end).map { min(max(Int32(ranges[$0].lowerBound), Int32(section.lowerBound)), $1) }
      var output = [Float](repeating: .nan, count: members.count * valueDim)
      var sums = [ck_attention_sum](repeating: ck_attention_sum(), count: members.count)
      rows.withUnsafeBufferPointer { rows in
        begin.withUnsafeBufferPointer { begin in
          end.withUnsafeBufferPointer { end in
            sums.withUnsafeMutableBufferPointer { sums in
              output.withUnsafeMutableBufferPointer { output in
                var a = whole
                (a.queries, a.query_count) = (rows.baseAddress, Int64(members.count))
                (a.begin, a.end, a.sums) = (begin.baseAddress, end.baseAddress, sums.baseAddress)
                (a.output, a.output_stride) = (output.baseAddress, Int64(valueDim))
                table.attention(&a)
              }
            }
          }
        }
      }
      let outputs = members.indices.map { Array(output[$0 * valueDim..<($0 + 1) * valueDim]) }
      for index in members.indices where begin[index] == end[index] {
        #expect(sums[index].sum == 0 && outputs[index].allSatisfy { $0 == 0 })
      }
      return (outputs, sums)
    }

    /// Returns the result of a table's kernel, over a cache in half precision, in Q8_0 or of latents.
    func result(_ name: String, q8: Bool = false, latent: Bool = false, cut: Cut? = nil) throws -> [Float] {
      let table = try Ops.table(name)
      var room = [Float](repeating: .nan, count: 32 * (latent ? keyDim + 2 * valueDim : valueDim))
      let cache = q8 ? quants(table) : latent ? latents(table) : halves(table)
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
                } else if latent {
                  a.latents = keys.bindMemory(to: Float.self).baseAddress
                } else {
                  (a.keys, a.values) = (
                    keys.bindMemory(to: UInt16.self).baseAddress, values.bindMemory(to: UInt16.self).baseAddress
                  )
                }
                (a.key_dim, a.value_dim) = (Int64(keyDim), Int64(valueDim))
                (a.scale, a.softcap) = (1 / Float(keyDim).squareRoot(), softcap)
                a.sinks = hasSinks ? sinks.baseAddress : nil
                (a.output, a.output_stride) = (output, Int64(valueDim + 1))
                room.withUnsafeMutableBufferPointer { room in
                  a.room = latent || cut == nil ? room.baseAddress : nil
                  if let cut { attend(table, a, cut) } else { table.attention(&a) }
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

  /// Problems with latents: full lanes, half of them, several lots of lanes and tiles, positions that not all queries of a lot see,
  /// sections that they enter at different blocks, and dimensions that do not fill a vector.
  static let latentProblems: [(String, Problem)] = [
    ("one query", Problem(keyDim: 144, valueDim: 128, ranges: [0..<70])),
    ("8 heads of a token", Problem(keyDim: 144, valueDim: 128, ranges: .init(repeating: 0..<700, count: 8))),
    ("9 heads of a token", Problem(keyDim: 144, valueDim: 128, ranges: .init(repeating: 0..<65, count: 9))),
    ("16 heads of a token", Problem(keyDim: 576, valueDim: 512, ranges: .init(repeating: 0..<300, count: 16))),
    ("20 heads of two tokens", Problem(keyDim: 48, valueDim: 32, ranges: (0..<40).map { 0..<(126 + $0 / 20) })),
    ("causal", Problem(keyDim: 48, valueDim: 32, ranges: (0..<70).map { 0..<($0 / 2 + 500) }, softcap: 5)),
    ("windows", Problem(keyDim: 37, valueDim: 21, ranges: (0..<40).map { ($0 + 440)..<($0 + 520) }, hasSinks: true)),
    (
      "ranges without order or overlap",
      Problem(
        keyDim: 37, valueDim: 21, ranges: [130..<190, 0..<5, 60..<70, 64..<128, 3..<150, 5..<1100, 511..<1030], hasSinks: true)
    ),
    ("longer sections", Problem(keyDim: 16, valueDim: 16, ranges: [0..<2048, 0..<2049, 900..<2100, 0..<4097])),
  ]

  @Test("Latents give the bits of keys and values with the same numbers", arguments: Ops.names, latentProblems.indices)
  func latents(_ name: String, _ index: Int) throws {
    let (label, problem) = Self.latentProblems[index]
    let expected = try Ops.bits(problem.withValuesFromKeys.result("portable", cut: .init(forLatents: true)))
    #expect(try Ops.bits(problem.result(name, latent: true)) == expected, "\(label)")
    for count in [1, 3, 40] {
      let cut = Problem.Cut(queryCount: count, forLatents: true)
      #expect(try Ops.bits(problem.result(name, latent: true, cut: cut)) == expected, "\(label), \(count) queries a call")
    }
  }

  @Test(
    "Attention over latents is attention over their keys and the beginnings of these", arguments: Ops.names, latentProblems.indices)
  func latentAccuracy(_ name: String, _ index: Int) throws {
    let (label, problem) = Self.latentProblems[index]
    for (i, (x, y)) in zip(try problem.result(name, latent: true), problem.withValuesFromKeys.truth()).enumerated() {
      guard abs(Double(x) - y) < 3e-6 else {
        Issue.record("\(label): element \(i) is \(x), not \(y)")
        return
      }
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
    let expected = Ops.bits(try problem.result(name))
    for count in [1, 3, 40] {
      #expect(Ops.bits(try problem.result(name, cut: .init(queryCount: count))) == expected, "\(label), \(count) queries a call")
    }
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

  @Test("Latents at positions that a query does not see may be infinite", arguments: Ops.names, [4, 20])
  func unseenLatents(_ name: String, _ count: Int) throws {
    let (step, key) = (count / 4, 64)
    var problem = Problem(ranges: (0..<count).map { ($0 / step * 10 + 10)..<($0 / step * 10 + 90) })
    let clean = try problem.result(name, latent: true)
    // Position 9 is seen by no query, 15 by the first quarter of them, and 110 by the last.
    for position in [9, 15, 110] {
      for i in 0..<key { problem.keys[position * key + i] = .infinity }
    }
    let result = try problem.result(name, latent: true)
    let (first, last) = (step * key, 3 * step * key)
    #expect(result[..<first].allSatisfy { !$0.isFinite } && result[last...].allSatisfy { !$0.isFinite } == true)
    #expect(Array(result[first..<last]) == Array(clean[first..<last]))
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

  @Test("Large and infinite scores do not spoil the rest", arguments: Ops.names, [false, true])
  func large(_ name: String, _ latent: Bool) throws {
    var problem = Problem(keyDim: 17, valueDim: 16, ranges: [0..<100])
    // The scores rise by hundreds from block to block, and one in the first block is minus infinity, by an element that is not in the
    // value of a latent.
    problem.queries = [Float](repeating: 100, count: 17)
    for p in 0..<100 {
      for i in 0..<17 { problem.keys[p * 17 + i] = Float(p / 10) }
    }
    problem.keys[3 * 17 + 16] = -.infinity
    let values = latent ? problem.withValuesFromKeys.values : problem.values
    let mean = (0..<16).map { i in (90..<100).reduce(0.0) { $0 + Double(values[$1 * 16 + i]) } / 10 }
    for (x, y) in zip(try problem.result(name, latent: latent), mean) { #expect(abs(Double(x) - y) < 1e-6) }
  }
}
