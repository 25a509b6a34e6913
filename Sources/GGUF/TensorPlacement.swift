// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files

/// Follows the tensors' offsets through a file and finds the alignment that its data really has.
///
/// Tensors lie one after another, each padded to the alignment. That is `general.alignment`, or 32 without that key; but llama.cpp's
/// own writer and gguf-split set the key and pad to 32 all the same, and gguf-py leaves the key out of all parts of a split model but the
/// first. So the offsets decide, and where they leave it open, the file's size does.
struct TensorPlacement {
  /// The alignments that all tensors so far agree with, the likeliest first; never empty.
  private var candidates: [Int]
  private var previousOffset = 0
  /// Where the last tensor ends, from the start of the data.
  private(set) var end = 0

  /// The alignment without a key that says otherwise.
  static let defaultAlignment = 32

  /// - Parameters:
  ///   - declared: `general.alignment` of this file.
  ///   - sibling: `general.alignment` of the first part, for the later parts of a split model.
  init(declared: Int?, sibling: Int?) {
    candidates = []
    for candidate in [declared ?? sibling, Self.defaultAlignment] {
      if let candidate, !candidates.contains(candidate) { candidates.append(candidate) }
    }
  }

  /// Takes the next tensor, or says how its offset is wrong.
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

  /// The alignment of a file whose header has `headerByteCount` bytes.
  func alignment(headerByteCount: Int, fileByteCount: Int) -> Int {
    let likeliest = candidates[0]
    func dataEnd(_ alignment: Int) -> Int { headerByteCount.roundedUp(toMultipleOf: alignment) + end }
    if dataEnd(likeliest) <= fileByteCount { return likeliest }
    // Too short for the likeliest: it is cut short, unless it has exactly the size that another alignment gives.
    return candidates.dropFirst().first {
      [dataEnd($0), dataEnd($0).roundedUp(toMultipleOf: $0)].contains(fileByteCount)
    } ?? likeliest
  }
}
