// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels
import Foundation
import GGUF
import TestSupport
import Testing

/// The results of ik_llama.cpp for its own weight types; see ../shared/oracles/README.md.
enum ForkOracle {
  /// The folder with the files, or nil if this checkout has none.
  static let folder = SharedOracles.folder(holding: "ik/IQ4_K.json")?.appending(path: "ik")

  static let absence: Comment = "no ../shared/oracles/ik here; GGUFPACK_SHARED may name the folder that holds `oracles`"

  /// ik_llama.cpp numbers its types from 133 on.
  static let types = WeightType.allCases.filter { $0.rawValue >= 133 }

  static func bytes(_ file: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: #require(folder, absence).appending(path: file)))
  }

  static func floats(_ file: String) throws -> [Float] {
    try bytes(file).withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
  }
}

@Suite("Weight types of ik_llama.cpp", .enabled(if: ForkOracle.folder != nil, ForkOracle.absence))
struct ForkTests {
  private static func rows(_ count: Int, of k: Int, _ type: WeightType, _ bytes: [UInt8], _ table: ck_table) -> [Float] {
    (0..<count).flatMap { row in
      var out = [Float](repeating: 42, count: k + 1)
      table.dequantize(type.rawValue, bytes, Int64(row), Int64(k), &out)
      #expect(out.removeLast() == 42, "writes past the row")
      return out
    }
  }

  @Test("Rows with any bits become the floats that ik_llama.cpp makes of them", arguments: Ops.names, ForkOracle.types)
  func anyBits(_ name: String, _ type: WeightType) throws {
    let bytes = try ForkOracle.bytes("\(type.name).bits.bin")
    let expected = try ForkOracle.floats("\(type.name).bits.f32")
    #expect(type.byteCount(elements: 768) == bytes.count / 16)
    #expect(Ops.bits(try Self.rows(16, of: 768, type, bytes, Ops.table(name))) == Ops.bits(expected))
  }

  @Test("Rows of a model become the floats that ik_llama.cpp makes of them", arguments: Ops.names, ForkOracle.types)
  func model(_ name: String, _ type: WeightType) throws {
    let file = try #require(ForkOracle.folder).appending(path: "\(type.name).gguf").path
    let model = try GGUFModel.open(file)
    let tensor = try #require(model.tensors.first { $0.info.name == "blk.0.ffn_gate.weight" }?.info)
    #expect(tensor.type == type && tensor.rowElements == 256)
    let start = model.parts[0].header.dataOffset + tensor.offset
    let bytes = try Array(Data(contentsOf: URL(filePath: file))[start..<start + tensor.byteCount])
    let expected = try ForkOracle.floats("\(type.name).floats.f32")
    #expect(Ops.bits(Self.rows(64, of: 256, type, bytes, try Ops.table(name))) == Ops.bits(expected))
  }

  @Test(
    "Interleaved rows are the rows of the base type in another order, and can be restored",
    arguments: ForkOracle.types.filter { $0.groupRows > 1 })
  func groups(_ type: WeightType) throws {
    let bytes = try ForkOracle.bytes("\(type.name).bits.bin")
    var rows = [UInt8](repeating: 0xa5, count: bytes.count), back = rows
    ck_ungroup_rows(type.rawValue, bytes, 16, 768, &rows)
    ck_group_rows(type.rawValue, rows, 16, 768, &back)
    #expect(back == bytes)
    let expected = try ForkOracle.floats("\(type.name).bits.f32")
    #expect(Ops.bits(Self.rows(16, of: 768, type.base, rows, try Ops.table("portable"))) == Ops.bits(expected))
  }

  /// Three types are multiplied with other weights than those that their rows are read as.
  private static func expectedProduct(_ type: WeightType, _ row: [Float]) -> Double {
    let factor: Float = type.name == "IQ2_KT" ? 1.05 : type.name == "IQ3_KT" ? 1.01 : 1
    return row.reduce(0) { $0 + Double($1 * factor) }
  }

  @Test("A product with ones is the sum of a row, for any part of the rows", arguments: Ops.names, ForkOracle.types)
  func products(_ name: String, _ type: WeightType) throws {
    let (table, k) = (try Ops.table(name), 768)
    let bytes = try ForkOracle.bytes("\(type.name).bits.bin"), floats = try ForkOracle.floats("\(type.name).bits.f32")
    let product = try #require(
      withUnsafeBytes(of: table.matmul_plain) { $0.assumingMemoryBound(to: ck_matmul_function?.self)[Int(type.rawValue)] })
    let ones = [Float](repeating: 1, count: k)
    for range in [0..<16, 3..<9, 13..<14] {
      var output = [Float](repeating: 42, count: 16)
      bytes.withUnsafeBufferPointer { bytes in
        ones.withUnsafeBufferPointer { ones in
          output.withUnsafeMutableBufferPointer { output in
            var m = ck_matmul()
            (m.type, m.weights, m.k) = (type.rawValue, bytes.baseAddress, Int64(k))
            (m.row_begin, m.row_end, m.columns) = (Int64(range.lowerBound), Int64(range.upperBound), 1)
            (m.x, m.x_stride, m.output, m.output_stride) = (ones.baseAddress, Int64(k), output.baseAddress, 16)
            product(&m)
          }
        }
      }
      for row in 0..<16 where !range.contains(row) { #expect(output[row] == 42) }
      for row in range {
        let weights = Array(floats[row * k..<(row + 1) * k])
        let size = weights.reduce(0) { $0 + Double(abs($1)) }
        // Allow for rounding, and for IQ6_K for half a step of its rounded table.
        let tolerance = (type.name == "IQ6_K" ? 0.02 : 1e-5) * size
        #expect(abs(Double(output[row]) - Self.expectedProduct(type, weights)) <= tolerance, "row \(row)")
      }
    }
  }
}
