// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A piece of memory in which a mixer keeps something of each sequence: for each position, or as a state.
struct StatePiece {
  /// What a sequence has in the piece.
  enum Extent: Hashable {
    /// `byteCount` bytes for each `unit` positions, from the first position on.
    case positions(unit: Int, byteCount: Int)
    /// A state of `byteCount` bytes, followed by its copies.
    case state(byteCount: Int)
  }

  /// The address of the first sequence's part.
  let start: UnsafeMutableRawPointer
  /// Bytes from one sequence's part to the next.
  let sequenceStride: Int
  let extent: Extent

  init(start: UnsafeMutablePointer<Float>, sequenceStride: Int, extent: Extent) {
    self.init(start: UnsafeMutableRawPointer(start), sequenceStride: sequenceStride, extent: extent)
  }

  init(start: UnsafeMutableRawPointer, sequenceStride: Int, extent: Extent) {
    (self.start, self.sequenceStride, self.extent) = (start, sequenceStride, extent)
  }

  /// Returns the bytes that `length` positions take, or the bytes of one state.
  func byteCount(length: Int) -> Int {
    switch extent {
    case .positions(let unit, let byteCount): (length + unit - 1) / unit * byteCount
    case .state(let byteCount): byteCount
    }
  }

  /// Returns the address of a sequence's positions, or of copy number `copy` of its state; 0: the state itself.
  func address(sequence: Int, copy: Int) -> UnsafeMutableRawPointer {
    let start = start + sequence * sequenceStride
    guard case .state(let byteCount) = extent else { return start }
    return start + copy * byteCount
  }
}
