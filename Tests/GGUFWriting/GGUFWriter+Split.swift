// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF

extension GGUFWriter {
  /// Writes the model as several files, `PREFIX-00001-of-00003.gguf` and so on, linked by the keys of gguf-split.
  ///
  /// The first file has all keys, the others only those of the split.
  /// - Parameters:
  ///   - prefix: The path of the files up to the hyphen.
  ///   - tensorCounts: The number of tensors in each file, in order; their sum must be the number of all tensors.
  ///   - data: Returns the data of a tensor, given its index among all tensors.
  /// - Returns: The paths of the files.
  /// - Throws: `GGUFWritingError`. Files that were completed before the error remain.
  @discardableResult
  package func writeSplit(
    prefix: String, tensorCounts: [Int], data: (_ index: Int) -> [UInt8]
  ) throws(GGUFWritingError) -> [String] {
    guard tensorCounts.allSatisfy({ $0 >= 0 }), tensorCounts.reduce(0, +) == tensors.count,
      (1...SplitName.maximumCount).contains(tensorCounts.count)
    else { throw .unwritable(problem: "\(tensors.count) tensors cannot be split into \(tensorCounts)") }
    let name = SplitName(prefix: prefix, number: 0, count: tensorCounts.count)
    var paths: [String] = []
    var first = 0
    for (number, count) in tensorCounts.enumerated() {
      var part = self
      if number > 0 { part.metadata = GGUFMetadata() }
      part.metadata[SplitKey.number] = .uint16(UInt16(clamping: number))
      part.metadata[SplitKey.count] = .uint16(UInt16(clamping: tensorCounts.count))
      part.metadata[SplitKey.tensorCount] = .int32(Int32(clamping: tensors.count))
      part.tensors = Array(tensors[first..<first + count])
      part.paddingOverride = alignment
      try part.write(to: name.path(number)) { data(first + $0) }
      paths.append(name.path(number))
      first += count
    }
    return paths
  }
}
