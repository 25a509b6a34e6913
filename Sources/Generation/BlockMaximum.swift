// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Skips blocks of logits: a pass without branches tells that most blocks hold nothing that matters.
enum BlockMaximum {
  /// Logits in a block.
  static let blockSize = 256

  /// The greatest logit in `start ..< end`, ignoring NaN; minus infinity if there is no other.
  ///
  /// - Precondition: `0 <= start <= end <= logits.count`.
  static func of(_ logits: Span<Float>, from start: Int, to end: Int) -> Float {
    logits.withUnsafeBufferPointer { buffer in
      // Four maxima that do not wait for each other. A comparison with NaN is false.
      var (first, second, third, fourth) = (-Float.infinity, -Float.infinity, -Float.infinity, -Float.infinity)
      var index = start
      while index + 4 <= end {
        first = buffer[index] > first ? buffer[index] : first
        second = buffer[index + 1] > second ? buffer[index + 1] : second
        third = buffer[index + 2] > third ? buffer[index + 2] : third
        fourth = buffer[index + 3] > fourth ? buffer[index + 3] : fourth
        index += 4
      }
      while index < end {
        first = buffer[index] > first ? buffer[index] : first
        index += 1
      }
      return max(max(first, second), max(third, fourth))
    }
  }
}
