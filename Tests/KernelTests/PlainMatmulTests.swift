// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels
import GGUF
import TestSupport
import Testing

/// Products of weights in layout `gguf`.
@Suite("Plain matrix products")
struct PlainMatmulTests {
  /// A product of `rows` rows by `columns` columns; column c reads the activations' column (2 c + 1) mod (columns + 1).
  struct Problem {
    let type: WeightType
    let k: Int, rows: Int, columns: Int
    let weights: [UInt8]
    let x: [Float]
    var map: [Int32] { (0..<columns).map { Int32((2 * $0 + 1) % (columns + 1)) } }

    init(_ type: WeightType, k: Int, rows: Int, columns: Int) throws {
      (self.type, self.k, self.rows, self.columns) = (type, k, rows, columns)
      var random = SplitMix64(seed: UInt64(type.rawValue) + UInt64(k))
      x = random.floats((columns + 1) * (k + 3))
      let rowBytes = try #require(type.byteCount(elements: k))
      switch type {
      case .f32: weights = random.floats(rows * k).flatMap { withUnsafeBytes(of: $0, Array.init) }
      case .f16: weights = random.floats(rows * k).flatMap { withUnsafeBytes(of: Float16($0), Array.init) }
      default:
        // Any bytes are valid quants, but the scales should be finite.
        var bytes = random.bytes(rows * rowBytes)
        for block in stride(from: 0, to: bytes.count, by: type.blockByteCount) {
          for offset in Self.scales[type] ?? [] { bytes[block + offset + 1] = bytes[block + offset + 1] & 0x83 | 0x20 }
        }
        weights = bytes
      }
    }

    /// The offsets of a block's half-precision numbers.
    static let scales: [WeightType: [Int]] = [.q8_0: [0], .q4_1: [0, 2], .iq2_xs: [0], .q6_K: [208], .iq4_xs: [0]]

    /// Returns rows `range` of the product, with the rest left at 42: [columns][rows].
    func result(_ name: String, rows range: Range<Int>) throws -> [Float] {
      let table = try Ops.table(name)
      let function = try #require(
        withUnsafeBytes(of: table.matmul_plain) { $0.assumingMemoryBound(to: ck_matmul_function?.self)[Int(type.rawValue)] })
      var output = [Float](repeating: 42, count: columns * rows)
      weights.withUnsafeBufferPointer { weights in
        x.withUnsafeBufferPointer { x in
          map.withUnsafeBufferPointer { map in
            output.withUnsafeMutableBufferPointer { output in
              var m = ck_matmul()
              m.type = type.rawValue
              m.weights = weights.baseAddress
              m.k = Int64(k)
              (m.row_begin, m.row_end) = (Int64(range.lowerBound), Int64(range.upperBound))
              m.columns = Int64(columns)
              m.column_map = map.baseAddress
              (m.x, m.x_stride) = (x.baseAddress, Int64(k + 3))
              (m.output, m.output_stride) = (output.baseAddress, Int64(rows))
              function(&m)
            }
          }
        }
      }
      return output
    }

    func truth() throws -> [Double] {
      var row = [Float](repeating: 0, count: k)
      var truth = [Double](repeating: 0, count: columns * rows)
      let table = try Ops.table("portable")
      for r in 0..<rows {
        table.dequantize(type.rawValue, weights, Int64(r), Int64(k), &row)
        for (c, column) in map.enumerated() {
          for i in 0..<k { truth[c * rows + r] += Double(row[i]) * Double(x[Int(column) * (k + 3) + i]) }
        }
      }
      return truth
    }
  }

  static let shapes: [(WeightType, k: Int, rows: Int, columns: Int)] = [
    (.f32, 1, 1, 1), (.f32, 19, 5, 3), (.f32, 531, 9, 1), (.f16, 48, 4, 70), (.f16, 1040, 3, 5), (.q8_0, 608, 7, 2),
    (.q4_1, 32, 6, 66),
    (.q6_K, 256, 5, 4), (.iq2_xs, 768, 6, 9), (.iq4_xs, 512, 2, 5),
  ]

  @Test("Plain products are the dequantised rows times the columns", arguments: Ops.names, shapes.indices)
  func accuracy(_ name: String, _ index: Int) throws {
    let shape = Self.shapes[index]
    let problem = try Problem(shape.0, k: shape.k, rows: shape.rows, columns: shape.columns)
    let truth = try problem.truth()
    let largest = truth.reduce(0) { max($0, abs($1)) }
    for (x, y) in zip(try problem.result(name, rows: 0..<shape.rows), truth) {
      #expect(abs(Double(x) - y) <= 1e-5 * largest)
    }
  }

  @Test("Every table gives the portable table's bits, whatever rows are requested together", arguments: Ops.names, shapes.indices)
  func bits(_ name: String, _ index: Int) throws {
    let shape = Self.shapes[index]
    let problem = try Problem(shape.0, k: shape.k, rows: shape.rows, columns: shape.columns)
    let all = try problem.result(name, rows: 0..<shape.rows)
    #expect(Ops.bits(all) == Ops.bits(try problem.result("portable", rows: 0..<shape.rows)))
    let range = shape.rows / 3..<max(shape.rows - 1, shape.rows / 3)
    let some = try problem.result(name, rows: range)
    for (i, x) in some.enumerated() { #expect(x == (range.contains(i % shape.rows) ? all[i] : 42)) }
  }

  @Test("Every weight type has a plain product", arguments: Ops.names, WeightType.allCases)
  func complete(_ name: String, _ type: WeightType) throws {
    let table = try Ops.table(name)
    let present = withUnsafeBytes(of: table.matmul_plain) {
      $0.assumingMemoryBound(to: ck_matmul_function?.self)[Int(type.rawValue)] != nil
    }
    #expect(present)
  }
}
