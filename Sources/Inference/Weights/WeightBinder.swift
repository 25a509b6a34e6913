// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels
import GGUF
import PackFormat
import PackRuntime

/// Finds a model's tensors, checks their shapes against the metadata, and chooses their kernels.
struct WeightBinder {
  let teamCount: Int
  /// Whether the weights are in memory; otherwise only their shapes are looked at.
  let readsWeights: Bool
  /// Owns the slices of the matrices found.
  let slices = SliceStore()
  /// All vectors one after another; each team gets a copy. Empty where the weights are not read.
  private(set) var vectors: [Float] = []
  /// Elements of all vectors.
  private(set) var vectorLength = 0
  private let table: WeightTable
  private let kernels: Kernels

  init(_ table: WeightTable, kernels: Kernels, teamCount: Int, readsWeights: Bool = true) {
    self.readsWeights = readsWeights
    self.table = table
    self.kernels = kernels
    self.teamCount = teamCount
  }

  /// Rows of tensor `name`, or nil where the model has none.
  func rowCount(_ name: String) -> Int? { table.weight(name)?.rows }

  /// The matrix `name` of that shape, or nil where the model has none.
  func find(_ name: String, columns: Int, rows: Int, experts: Int = 1) throws(ModelError) -> Matrix? {
    guard let weight = table.weight(name) else { return nil }
    guard weight.columns == columns, weight.rows == rows, weight.experts == experts else {
      func shape(_ sizes: [Int]) -> [Int] { experts == 1 && weight.experts == 1 ? Array(sizes.prefix(2)) : sizes }
      throw .wrongShape(
        name: name, shape: shape([weight.columns, weight.rows, weight.experts]), expected: shape([columns, rows, experts]))
    }
    return try matrix(name, weight)
  }

  /// The matrix `name`.weight with its bias, where there is one.
  mutating func matrix(
    _ name: String, columns: Int, rows: Int, experts: Int = 1, needsBias: Bool = false
  ) throws(ModelError) -> Matrix {
    guard var matrix = try find("\(name).weight", columns: columns, rows: rows, experts: experts) else {
      throw .missingTensor(name: "\(name).weight")
    }
    matrix.bias = try vector("\(name).bias", count: rows * experts, isRequired: needsBias)
    return matrix
  }

  /// The vector (or small matrix, row by row) `name`, or none.
  mutating func vector(_ name: String, count: Int, isRequired: Bool = true) throws(ModelError) -> Vector {
    guard let weight = table.weight(name) else {
      if isRequired { throw .missingTensor(name: name) }
      return .none
    }
    guard weight.columns * weight.rows * weight.experts == count else {
      throw .wrongShape(name: name, shape: [weight.columns, weight.rows, weight.experts], expected: [count])
    }
    let matrix = try matrix(name, weight)
    // Each vector starts at a multiple of 64 bytes.
    let offset = (vectorLength + 15) / 16 * 16
    vectorLength = offset + count
    let vector = Vector(offset: offset, count: count)
    guard readsWeights else { return vector }
    vectors.append(contentsOf: repeatElement(0, count: vectorLength - vectors.count))
    let (sliceCount, kernels) = (Int(weight.teamStarts[teamCount]), kernels)
    vectors.withUnsafeMutableBufferPointer { all in
      guard let base = all.baseAddress else { return }
      let rows = Rows(base + offset, count: weight.rows * weight.experts, length: weight.columns)
      for row in 0..<rows.count {
        matrix.dequantize(row: row % weight.rows, of: row / weight.rows, sliceCount: sliceCount, kernels, into: rows[row])
      }
    }
    return vector
  }

  /// The values of a vector found by `vector`; none where the weights are not read.
  func values(_ vector: Vector) -> [Float] {
    vector.isPresent && readsWeights ? Array(vectors[vector.offset..<vector.offset + vector.count]) : []
  }

  private func matrix(_ name: String, _ weight: Weight) throws(ModelError) -> Matrix {
    guard let type = WeightType(rawValue: weight.type), let rowByteCount = type.byteCount(elements: weight.columns) else {
      throw .noKernel(name: name, type: "\(weight.type)")
    }
    let groupByteCount = InterleavedForm(type)?.groupByteCount(blocks: weight.columns / type.blockElements) ?? 0
    let interleavedReadsQuants = kernels.interleavedReadsQuants(weight.type)
    var slices: [MatrixSlice] = []
    for slice in UnsafeBufferPointer(start: weight.slices, count: Int(weight.teamStarts[teamCount])) {
      let product = slice.isInterleaved ? kernels.interleavedProduct(weight.type) : kernels.plainProduct(weight.type)
      guard let product else { throw .noKernel(name: name, type: type.name) }
      slices.append(
        MatrixSlice(
          base: slice.base, expertStride: slice.expertStride, rows: slice.rowBegin..<slice.rowBegin + slice.rowCount,
          isInterleaved: slice.isInterleaved, kernel: product))
    }
    return Matrix(
      type: weight.type, columns: weight.columns, rows: weight.rows, slices: self.slices.keep(slices),
      teamStarts: weight.teamStarts, nearby: weight.nearby, nearbyCount: weight.nearbyCount, groupByteCount: groupByteCount,
      rowByteCount: rowByteCount, readsQuants: slices.contains { $0.isInterleaved && interleavedReadsQuants },
      readsFloats: slices.contains { !($0.isInterleaved && interleavedReadsQuants) },
      isCutAt32: slices.allSatisfy { $0.rows.lowerBound % 32 == 0 })
  }
}

/// Owns slices that matrices point at.
final class SliceStore {
  private var allocations: [UnsafeMutablePointer<MatrixSlice>] = []

  deinit { for allocation in allocations { allocation.deallocate() } }

  /// A copy that lives as long as the store.
  func keep(_ slices: [MatrixSlice]) -> UnsafePointer<MatrixSlice> {
    let memory = UnsafeMutablePointer<MatrixSlice>.allocate(capacity: max(slices.count, 1))
    memory.initialize(from: slices, count: slices.count)
    allocations.append(memory)
    return UnsafePointer(memory)
  }
}
