// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels
import GGUF
import PackFormat
import PackRuntime

/// Finds a model's tensors, checks their shapes against the metadata, and chooses their kernels.
struct WeightBinder {
  let teamCount: Int
  /// Whether the weights are in memory; otherwise only their shapes are read.
  let readsWeights: Bool
  /// Owns what the matrices point at.
  let store = MatrixStore()
  /// All vectors one after another; each team gets a copy. Empty if the weights are not read.
  private(set) var vectors: [Float] = []
  /// The number of elements in all vectors.
  private(set) var vectorLength = 0
  /// The tensors that the graph reads or deliberately skips.
  private(set) var usedNames: Set<String> = []
  private let table: WeightTable
  private let kernels: Kernels

  init(_ table: WeightTable, kernels: Kernels, teamCount: Int, readsWeights: Bool = true) {
    self.readsWeights = readsWeights
    self.table = table
    self.kernels = kernels
    self.teamCount = teamCount
  }

  /// Returns the shape of tensor `name`; nil if the model has none.
  func shape(_ name: String) -> (columns: Int, rows: Int, experts: Int)? {
    table.weight(name).map { ($0.columns, $0.rows, $0.experts) }
  }

  private mutating func take(_ name: String) -> Weight? {
    guard let weight = table.weight(name) else { return nil }
    usedNames.insert(name)
    return weight
  }

  // MARK: Matrices

  /// Binds the matrix `name`.weight of the given shape, with its scale and its bias if there are any. Returns nil if the model has
  /// none.
  ///
  /// - Parameter hasFactors: Whether a tensor `name`.scale, if present, holds factors of the rows.
  mutating func find(
    _ name: String, columns: Int, rows: Int, experts: Int = 1, hasFactors: Bool = true
  ) throws(ModelError) -> Matrix? {
    guard let weight = take("\(name).weight") else { return nil }
    try check("\(name).weight", [weight.columns, weight.rows, weight.experts], [columns, rows, experts])
    var matrix = try matrix("\(name).weight", weight)
    if hasFactors { matrix.factors = try factors(name, count: experts) }
    matrix.bias = try vector("\(name).bias", count: rows * experts, isRequired: false)
    return matrix
  }

  /// Binds a matrix that the model must have.
  mutating func matrix(
    _ name: String, columns: Int, rows: Int, experts: Int = 1, hasFactors: Bool = true
  ) throws(ModelError) -> Matrix {
    if let matrix = try find(name, columns: columns, rows: rows, experts: experts, hasFactors: hasFactors) { return matrix }
    guard experts > 1, let matrix = try unstacked(name, columns: columns, rows: rows, experts: experts) else {
      throw .missingTensor(name: "\(name).weight")
    }
    return matrix
  }

  private func check(_ name: String, _ shape: [Int], _ expected: [Int]) throws(ModelError) {
    guard shape != expected else { return }
    let rank = shape[2] == 1 && expected[2] == 1 ? 2 : 3
    throw .wrongShape(name: name, shape: Array(shape.prefix(rank)), expected: Array(expected.prefix(rank)))
  }

  /// Binds experts that are stored in one tensor each, as converters did until April 2024: NAME_exps is NAME.0, NAME.1, …
  private mutating func unstacked(_ name: String, columns: Int, rows: Int, experts: Int) throws(ModelError) -> Matrix? {
    guard name.hasSuffix("_exps"), shape("\(name.dropLast(5)).0.weight") != nil else { return nil }
    var all: [Matrix] = []
    for expert in 0..<experts {
      let own = "\(name.dropLast(5)).\(expert)"
      guard let matrix = try find(own, columns: columns, rows: rows) else { throw .missingTensor(name: "\(own).weight") }
      let isLikeOthers = (0..<teamCount).allSatisfy { matrix.rowRanges(of: $0) == (all.first ?? matrix).rowRanges(of: $0) }
      guard matrix.type == (all.first ?? matrix).type, isLikeOthers, !matrix.bias.isPresent, matrix.factors == nil else {
        throw .oldForm(name: "\(own).weight", advice: "its type, rows or bias differ from other experts': convert the model again")
      }
      all.append(matrix)
    }
    let slices = (0..<Int(all[0].teamStarts[teamCount])).map { index in
      var slice = all[0].slices[index]
      slice.experts = store.keep(all.map { $0.slices[index].base })
      return slice
    }
    return all[0].with(slices: store.keep(slices), teamStarts: all[0].teamStarts, rows: rows, sliceCount: slices.count)
  }

  /// Returns some rows of a matrix (of each expert) as a matrix of their own, with their biases.
  mutating func rows(_ part: Range<Int>, of matrix: Matrix) -> Matrix {
    var slices: [MatrixSlice] = []
    var starts: [Int32] = [0]
    for team in 0..<teamCount {
      for index in matrix.slices(of: team) {
        let slice = matrix.slices[index]
        let rows = slice.rows.clamped(to: part)
        if !rows.isEmpty { slices.append(cut(slice, rows, of: matrix, shift: part.lowerBound)) }
      }
      starts.append(Int32(slices.count))
    }
    var result = matrix.with(
      slices: store.keep(slices), teamStarts: store.keep(starts), rows: part.count, sliceCount: slices.count)
    result.bias = matrix.bias[part]
    return result
  }

  private func cut(_ slice: MatrixSlice, _ rows: Range<Int>, of matrix: Matrix, shift: Int) -> MatrixSlice {
    let before = rows.lowerBound - slice.rows.lowerBound + slice.lead
    let groupRows = slice.isInterleaved ? Layout.groupRows : WeightType(rawValue: matrix.type)?.groupRows ?? 1
    let groupByteCount = slice.isInterleaved ? matrix.groupByteCount : groupRows * matrix.rowByteCount
    let offset = before / groupRows * groupByteCount
    return MatrixSlice(
      base: slice.base + offset, expertStride: slice.expertStride, rows: rows.lowerBound - shift..<rows.upperBound - shift,
      lead: before % groupRows, isInterleaved: slice.isInterleaved, kernel: slice.kernel)
  }

  /// Binds the factors of a matrix: one number, or one for each expert. The scales of its inputs are skipped, because they are for
  /// computing with activations of 4 bits.
  private mutating func factors(_ name: String, count: Int) throws(ModelError) -> UnsafePointer<Float>? {
    guard let scale = take("\(name).scale") else { return nil }
    skip("\(name).input_scale")
    let elements = scale.columns * scale.rows * scale.experts
    guard elements == 1 || elements == count else {
      throw .wrongShape(name: "\(name).scale", shape: [scale.columns, scale.rows, scale.experts], expected: [count])
    }
    let values = try values("\(name).scale", scale)
    return store.keep(values.count == count ? values : Array(repeating: values.first ?? 1, count: count))
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
      type: weight.type, columns: weight.columns, rows: weight.rows, slices: store.keep(slices), teamStarts: weight.teamStarts,
      nearby: weight.nearby, nearbyCount: weight.nearbyCount, groupByteCount: groupByteCount, rowByteCount: rowByteCount,
      readsQuants: slices.contains { $0.isInterleaved && interleavedReadsQuants },
      readsFloats: slices.contains { !($0.isInterleaved && interleavedReadsQuants) },
      isCutAt32: slices.allSatisfy { $0.rows.lowerBound % 32 == 0 && $0.lead == 0 })
  }

  // MARK: Vectors

  /// Binds the vector (or small matrix, row by row) `name`. Returns `none` if it is absent and not required.
  mutating func vector(_ name: String, count: Int, isRequired: Bool = true) throws(ModelError) -> Vector {
    guard let weight = take(name) else {
      if isRequired { throw .missingTensor(name: name) }
      return .none
    }
    guard weight.columns * weight.rows * weight.experts == count else {
      throw .wrongShape(name: name, shape: [weight.columns, weight.rows, weight.experts], expected: [count])
    }
    return append(try values(name, weight), count: count)
  }

  /// Binds the small matrix `name`, column by column.
  mutating func transposed(_ name: String, columns: Int, rows: Int) throws(ModelError) -> Vector {
    guard let weight = take(name) else { throw .missingTensor(name: name) }
    try check(name, [weight.columns, weight.rows, weight.experts], [columns, rows, 1])
    let values = try values(name, weight)
    guard readsWeights else { return append([], count: columns * rows) }
    return append((0..<columns * rows).map { values[$0 % rows * columns + $0 / rows] }, count: columns * rows)
  }

  /// Binds small matrices of one shape one after another, column by column: first the first column of all of them, then the second.
  ///
  /// Their rows may have several dimensions in the file.
  mutating func transposed(_ names: [String], columns: Int, rows: Int) throws(ModelError) -> Vector {
    var all: [Float] = []
    for name in names {
      guard let weight = take(name) else { throw .missingTensor(name: name) }
      guard weight.columns == columns, weight.rows * weight.experts == rows else {
        throw .wrongShape(name: name, shape: [weight.columns, weight.rows * weight.experts], expected: [columns, rows])
      }
      all += try values(name, weight)
    }
    let (length, isRead) = (rows * names.count, readsWeights)
    return append(
      isRead ? (0..<columns * length).map { all[$0 % length * columns + $0 / length] } : [], count: columns * length)
  }

  /// Binds a small matrix in the order in which `ck_table.index` reads keys.
  ///
  /// The columns are divided into parts, and each part is stored in groups of 16 rows, the last one filled with zeros: [part][row /
  /// 16][column of the part][16 rows].
  mutating func grouped(_ name: String, columns: Int, rows: Int, partLength: Int) throws(ModelError) -> Vector {
    guard let weight = take(name) else { throw .missingTensor(name: name) }
    try check(name, [weight.columns, weight.rows, weight.experts], [columns, rows, 1])
    let (values, groups) = (try values(name, weight), (rows + 15) / 16)
    guard readsWeights else { return append([], count: columns * groups * 16) }
    var all = [Float](repeating: 0, count: columns * groups * 16)
    for row in 0..<rows {
      for column in 0..<columns {
        let group = column / partLength * groups + row / 16
        all[(group * partLength + column % partLength) * 16 + row % 16] = values[row * columns + column]
      }
    }
    return append(all, count: all.count)
  }

  /// Binds a table of integers, row by row, each at least 0 and less than `limit`. Returns nil if it is absent or weights are not
  /// read.
  mutating func integers(_ name: String, columns: Int, rows: Int, below limit: Int) throws(ModelError) -> UnsafePointer<Int32>? {
    guard let weight = take(name) else { return nil }
    try check(name, [weight.columns, weight.rows, weight.experts], [columns, rows, 1])
    guard weight.type == WeightType.i32.rawValue else {
      throw .noKernel(name: name, type: WeightType(rawValue: weight.type)?.name ?? "\(weight.type)")
    }
    guard readsWeights else { return nil }
    var all = [Int32](repeating: 0, count: columns * rows)
    for slice in UnsafeBufferPointer(start: weight.slices, count: Int(weight.teamStarts[teamCount])) {
      let source = UnsafeRawBufferPointer(start: slice.base, count: slice.rowCount * columns * MemoryLayout<Int32>.stride)
      for index in 0..<slice.rowCount * columns {
        let value = source.loadUnaligned(fromByteOffset: index * MemoryLayout<Int32>.stride, as: Int32.self)
        guard value >= 0, value < limit else {
          throw .badValue(key: name, value: "\(value)", expected: "0 to \(limit - 1)")
        }
        all[slice.rowBegin * columns + index] = value
      }
    }
    return store.keep(all)
  }

  /// - Parameter values: `count` elements, or none if the weights are not read.
  private mutating func append(_ values: [Float], count: Int) -> Vector {
    // Each vector starts at a multiple of 64 bytes.
    let offset = (vectorLength + 15) / 16 * 16
    vectorLength = offset + count
    vectors.append(contentsOf: repeatElement(0, count: readsWeights ? offset - vectors.count : 0))
    vectors.append(contentsOf: values)
    return Vector(offset: offset, count: count)
  }

  /// Returns the elements of a vector that `vector` has bound; none if the weights are not read.
  func values(_ vector: Vector) -> [Float] {
    vector.isPresent && readsWeights ? Array(vectors[vector.offset..<vector.offset + vector.count]) : []
  }

  /// Returns a small tensor as floats, row by row; empty if the weights are not read.
  private func values(_ name: String, _ weight: Weight) throws(ModelError) -> [Float] {
    let matrix = try matrix(name, weight)
    guard readsWeights else { return [] }
    let (sliceCount, count, kernels) = (Int(weight.teamStarts[teamCount]), weight.rows * weight.experts, kernels)
    return Array(unsafeUninitializedCapacity: count * weight.columns) { values, initialized in
      guard let base = values.baseAddress else { return }
      let rows = Rows(base, count: count, length: weight.columns)
      for row in 0..<count {
        matrix.dequantize(row: row % weight.rows, of: row / weight.rows, sliceCount: sliceCount, kernels, into: rows[row])
      }
      initialized = count * weight.columns
    }
  }

  // MARK: What is left over

  /// Throws if some weight is not read by any part of the graph, because the file then holds another model than the one computed.
  ///
  /// Prediction layers beyond the last one that is computed need not be read. Outside layers, only names that end like a weight's
  /// are checked; others mark features of a file. Some files count prediction layers that they do not contain: if no tensor is
  /// named like a part of one, the tensors of all layers must be read.
  func checkAllUsed(layerCount: Int) throws(ModelError) {
    let predicts = table.names.contains { $0.contains(".nextn.") }
    for name in table.names.sorted() where !usedNames.contains(name) {
      let fields = name.split(separator: ".", omittingEmptySubsequences: false)
      guard fields.count > 2, fields[0] == "blk", let layer = Int(fields[1]) else {
        if ["weight", "bias", "scale", "input_scale"].contains(fields.last) { throw .unusedTensor(name: name) }
        continue
      }
      if layer < layerCount || !predicts { throw .unusedTensor(name: name) }
    }
  }

  /// Marks a tensor as one that the graph does not need.
  mutating func skip(_ name: String) { usedNames.insert(name) }
}

/// Owns what matrices point at.
final class MatrixStore {
  private var allocations: [UnsafeMutableRawPointer] = []

  deinit { for allocation in allocations { allocation.deallocate() } }

  /// Returns a copy of `elements` that lives as long as the store.
  ///
  /// - Precondition: Elements are plain data.
  func keep<Element>(_ elements: [Element]) -> UnsafePointer<Element> {
    let memory = UnsafeMutablePointer<Element>.allocate(capacity: max(elements.count, 1))
    memory.initialize(from: elements, count: elements.count)
    allocations.append(UnsafeMutableRawPointer(memory))
    return UnsafePointer(memory)
  }
}
