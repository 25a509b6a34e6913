// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Finds the maximum of a block of logits, in a pass without branches, so that blocks in which nothing matters can be skipped.
enum BlockMaximum {
  /// The number of logits in a block.
  static let blockSize = 256

  /// Returns the greatest logit in `start ..< end`, ignoring NaN; minus infinity if there is none.
  ///
  /// - Precondition: `0 <= start <= end <= logits.count`.
  static func of(_ logits: Span<Float>, from start: Int, to end: Int) -> Float {
    precondition(0 <= start && start <= end && end <= logits.count)
    // Four independent maxima do not wait for each other. A comparison with NaN is false. The bounds are checked once above,
    // because a check for each logit would double the time.
    var (first, second, third, fourth) = (-Float.infinity, -Float.infinity, -Float.infinity, -Float.infinity)
    var index = start
    while index + 4 <= end {
      first = unsafe logits[unchecked: index] > first ? logits[unchecked: index] : first
      second = unsafe logits[unchecked: index + 1] > second ? logits[unchecked: index + 1] : second
      third = unsafe logits[unchecked: index + 2] > third ? logits[unchecked: index + 2] : third
      fourth = unsafe logits[unchecked: index + 3] > fourth ? logits[unchecked: index + 3] : fourth
      index += 4
    }
    while index < end {
      first = logits[index] > first ? logits[index] : first
      index += 1
    }
    return max(max(first, second), max(third, fourth))
  }
}
