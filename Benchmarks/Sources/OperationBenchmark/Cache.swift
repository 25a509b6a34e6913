// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels
import CLoops
import Foundation

/// The heads of a KV cache, each `positions` long, in one allocation; filled with random finite numbers.
final class Cache {
  enum Kind: String, CaseIterable {
    case f16 = "F16"
    case q8_0 = "Q8_0"
  }

  private let positions: Int
  private let dim: Int
  private let byteCount: Int
  private let bytes: UnsafeMutableRawPointer

  init(positions: Int, dim: Int, byteCount: Int) {
    self.positions = (positions + 15) / 16 * 16
    self.dim = dim
    self.byteCount = max(byteCount, self.positions * dim * 4) / 4096 * 4096 + 4096
    bytes = .allocate(byteCount: self.byteCount, alignment: 2 << 20)
    // Use huge pages where the kernel has them, as packrun's cache does.
    madvise(bytes, self.byteCount, MADV_HUGEPAGE)
    fill(.f16)
  }

  deinit { bytes.deallocate() }

  /// Fills the cache with small numbers of either sign, as halves or as scales and quants.
  func fill(_ kind: Kind) {
    var state: UInt64 = 1
    switch kind {
    case .f16:
      for i in 0..<byteCount / 2 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        bytes.storeBytes(of: 0x2000 + UInt16(truncatingIfNeeded: state >> 40) & 0x8fff, toByteOffset: 2 * i, as: UInt16.self)
      }
    case .q8_0: memset(bytes, 0x11, byteCount)
    }
  }

  /// Returns the bytes of the keys (or the values) of one head.
  private func planeByteCount(_ kind: Kind) -> Int { positions * (kind == .f16 ? dim * 2 : dim / 32 * 34) }

  private func headCount(_ kind: Kind) -> Int { byteCount / (2 * planeByteCount(kind)) }

  private func attention(_ kind: Kind, head: Int) -> ck_attention {
    var a = ck_attention()
    let keys = bytes + head * 2 * planeByteCount(kind), values = keys + planeByteCount(kind)
    switch kind {
    case .f16:
      a.keys = UnsafePointer(keys.assumingMemoryBound(to: UInt16.self))
      a.values = UnsafePointer(values.assumingMemoryBound(to: UInt16.self))
    case .q8_0:
      a.q8_keys = UnsafePointer(keys.assumingMemoryBound(to: UInt8.self))
      a.q8_values = UnsafePointer(values.assumingMemoryBound(to: UInt8.self))
    }
    (a.key_dim, a.value_dim) = (Int64(dim), Int64(dim))
    (a.query_stride, a.output_stride) = (Int64(dim), Int64(dim))
    a.scale = 1 / Float(dim).squareRoot()
    return a
  }

  /// Calls `body` with queries, ranges and room for results.
  private func withQueries(_ ends: [Int32], _ body: (inout ck_attention) -> Void, _ kind: Kind, head: Int) {
    let queries = (0..<ends.count * dim).map { Float($0 % 17) / 17 - 0.5 }
    let begins = [Int32](repeating: 0, count: ends.count)
    // Room for the outputs and for those of one section.
    var output = [Float](repeating: 0, count: 2 * ends.count * dim)
    queries.withUnsafeBufferPointer { queries in
      begins.withUnsafeBufferPointer { begins in
        ends.withUnsafeBufferPointer { ends in
          output.withUnsafeMutableBufferPointer { output in
            var a = attention(kind, head: head)
            (a.queries, a.query_count) = (queries.baseAddress, Int64(ends.count))
            (a.begin, a.end) = (begins.baseAddress, ends.baseAddress)
            a.output = output.baseAddress
            a.room = output.baseAddress.map { $0 + ends.count * dim }
            body(&a)
          }
        }
      }
    }
  }

  /// Measures one token through all heads, alternating with a loop that reads the same bytes.
  func decode(_ kind: Kind, _ table: ck_table, context: Int, group: Int, runs: Int) -> (
    bytes: Double, seconds: Double, streamSeconds: Double
  ) {
    var kernel: [Double] = [], stream: [Double] = []
    let heads = headCount(kind)
    var read = memory(
      bytes: UnsafePointer(bytes.assumingMemoryBound(to: UInt8.self)), count: Int64(heads * 2 * planeByteCount(kind)))
    for _ in 0..<runs {
      stream.append(seconds { read_memory(&read, 0, 1) })
      kernel.append(
        seconds {
          for head in 0..<heads {
            withQueries([Int32](repeating: Int32(context), count: group), { table.attention(&$0) }, kind, head: head)
          }
        })
    }
    // The kernel reads only the context, the loop everything.
    let share = Double(context) / Double(positions)
    return (share * Double(read.count), median(kernel), median(stream) * share)
  }

  /// Measures `tokens` tokens after `context` positions in one head, alternating with one token through the naive loop.
  func prefill(_ kind: Kind, _ table: ck_table, context: Int, tokens: Int, group: Int, runs: Int) -> (
    flops: Double, seconds: Double, naiveFlops: Double
  ) {
    let ends = (0..<tokens * group).map { Int32(context + $0 / group + 1) }
    let flops = ends.reduce(0.0) { $0 + Double($1) * Double(4 * dim) }
    var times: [Double] = [], naive: [Double] = []
    withQueries(
      ends,
      { a in
        for _ in 0..<runs {
          times.append(seconds { table.attention(&a) })
          naive.append(naiveSeconds(context: context, group: group))
        }
      }, kind, head: 0)
    return (flops, median(times), Double(context * group * 4 * dim) / median(naive))
  }

  /// Returns the seconds of the naive loop for a token, over keys and values in single precision.
  func naiveSeconds(context: Int, group: Int) -> Double {
    let queries = [Float](repeating: 0.1, count: group * dim)
    let floats = (0..<context * dim).map { Float($0 % 17) / 17 - 0.5 }
    var output = queries
    return queries.withUnsafeBufferPointer { queries in
      floats.withUnsafeBufferPointer { floats in
        output.withUnsafeMutableBufferPointer { output in
          var problem = naive_problem()
          (problem.query, problem.output) = (queries.baseAddress, output.baseAddress)
          (problem.keys, problem.values) = (floats.baseAddress, floats.baseAddress)
          (problem.queries, problem.group, problem.dim) = (Int64(group), Int64(group), Int64(dim))
          (problem.positions, problem.first_end) = (Int64(context), Int64(context))
          problem.scale = 1 / Float(dim).squareRoot()
          return seconds { naive_attention(&problem) }
        }
      }
    }
  }
}
