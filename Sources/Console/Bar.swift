// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A bar that shows a part of a whole in text.
package struct Bar: Sendable {
  private let part: Double

  /// A bar for a part from 0 to 1; values outside are clamped.
  package init(part: Double) { self.part = part.isFinite ? min(max(part, 0), 1) : 0 }

  /// Returns the bar, `width` columns wide, drawn with block characters or in ASCII.
  package func text(_ width: Int, isUTF8: Bool) -> String {
    let filled = min(width, Int(part * Double(width)))
    return String(repeating: isUTF8 ? "█" : "#", count: filled) + String(repeating: " ", count: max(0, width - filled))
  }
}
