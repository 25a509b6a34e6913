// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files

/// Follows the tensors' offsets through a file and finds the alignment that the data really has.
///
/// Tensors lie one after another, each padded to the alignment. Nominally that is `general.alignment`, or 32 without that key. But
/// llama.cpp's own writer and gguf-split set the key and still pad to 32, and gguf-py writes the key only into the first part of a split
/// model. So the offsets decide, and where they leave it open, the file's size does.
package struct TensorPlacement {
  /// The alignments that fit all tensors so far, likeliest first; never empty.
  private var candidates: [Int]
  private var previousOffset = 0
  /// The end of the last tensor, in bytes from the start of the data.
  private(set) var end = 0

  /// The alignment of files without the key.
  package static let defaultAlignment = 32

  /// - Parameters:
  ///   - declared: `general.alignment` of this file.
  ///   - sibling: `general.alignment` of the first part, for the later parts of a split model.
  init(declared: Int?, sibling: Int?) {
    candidates = []
    for candidate in [declared ?? sibling, Self.defaultAlignment] {
      if let candidate, !candidates.contains(candidate) { candidates.append(candidate) }
    }
  }

  /// Accepts the next tensor, or returns the defect of its offset.
  mutating func place(_ tensor: GGUFTensor) -> GGUFDefect? {
    let fitting = candidates.filter { end.roundedUp(toMultipleOf: $0) == tensor.offset }
    guard !fitting.isEmpty else {
      return .misplaced(tensor: tensor.name, offset: tensor.offset, end: end, how: misplacement(of: tensor))
    }
    guard let newEnd = tensor.offset.adding(tensor.byteCount), newEnd <= GGUFLimits.dataByteCount else {
      return .overflow(tensor: tensor.name)
    }
    candidates = fitting
    previousOffset = tensor.offset
    end = newEnd
    return nil
  }

  private func misplacement(of tensor: GGUFTensor) -> GGUFDefect.Misplacement {
    if tensor.offset < previousOffset { return .beforePredecessor }
    if tensor.offset < end { return .overlapping }
    let alignment = candidates.min() ?? Self.defaultAlignment
    return tensor.offset % alignment != 0 ? .unaligned(alignment: alignment) : .gap
  }

  /// Returns the alignment of a file whose header has `headerByteCount` bytes.
  func alignment(headerByteCount: Int, fileByteCount: Int) -> Int {
    let likeliest = candidates[0]
    func dataEnd(_ alignment: Int) -> Int { headerByteCount.roundedUp(toMultipleOf: alignment) + end }
    if dataEnd(likeliest) <= fileByteCount { return likeliest }
    // The file is too short for the likeliest alignment. It is cut short, unless its size is exactly what another alignment gives.
    return candidates.dropFirst().first {
      [dataEnd($0), dataEnd($0).roundedUp(toMultipleOf: $0)].contains(fileByteCount)
    } ?? likeliest
  }
}
