// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A stretch of memory with something that a mixer keeps of one sequence after the other: for each position, or a state.
struct StatePiece {
  /// What a sequence has there.
  enum Extent: Hashable {
    /// `byteCount` bytes for each `unit` positions, from the first one on.
    case positions(unit: Int, byteCount: Int)
    /// A state of `byteCount` bytes, followed by its copies.
    case state(byteCount: Int)
  }

  /// The first sequence's.
  let start: UnsafeMutableRawPointer
  /// Bytes from one sequence's to the next one's.
  let sequenceStride: Int
  let extent: Extent

  init(start: UnsafeMutablePointer<Float>, sequenceStride: Int, extent: Extent) {
    self.init(start: UnsafeMutableRawPointer(start), sequenceStride: sequenceStride, extent: extent)
  }

  init(start: UnsafeMutableRawPointer, sequenceStride: Int, extent: Extent) {
    (self.start, self.sequenceStride, self.extent) = (start, sequenceStride, extent)
  }

  /// Bytes that `length` positions take, or each of a sequence's states.
  func byteCount(length: Int) -> Int {
    switch extent {
    case .positions(let unit, let byteCount): (length + unit - 1) / unit * byteCount
    case .state(let byteCount): byteCount
    }
  }

  /// What a sequence has: its positions, or the copy of its state with that number; 0 is the state as it is.
  func address(sequence: Int, copy: Int) -> UnsafeMutableRawPointer {
    let start = start + sequence * sequenceStride
    guard case .state(let byteCount) = extent else { return start }
    return start + copy * byteCount
  }
}
