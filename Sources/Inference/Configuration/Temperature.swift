// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc

/// How attention sharpens with the position.
///
/// A query at position p is multiplied by 1 + scale · ln(1 + ⌊(p + offset) / length⌋).
struct Temperature: Sendable, Equatable {
  var scale: Float
  /// The number of positions from one step of the factor to the next; at least 1.
  var length: Int
  var offset = 0

  init(scale: Float, length: Int, offset: Int = 0) { (self.scale, self.length, self.offset) = (scale, length, offset) }

  /// Reads the temperature from the file; nil if the architecture does not honour it or the file has none.
  init?(_ reader: MetadataReader, _ architecture: Architecture) throws(ModelError) {
    guard architecture.keys.contains(.temperature) else { return nil }
    let scale = try reader.number(Architecture.OptionalKey.temperature.rawValue) ?? 0
    guard scale != 0 else { return nil }
    let own = try reader.size("attention.temperature_length")
    let original = try reader.size("rope.scaling.original_context_length")
    let context = try reader.size("context_length")
    guard let length = own ?? original ?? context, length > 0 else {
      throw .missingKey(key: reader.key("attention.temperature_length"))
    }
    self.init(scale: scale, length: length)
  }

  /// Returns the factor of queries at `position`.
  func factor(at position: Int32) -> Float {
    let steps = (Int(position) + offset) / length
    return steps == 0 ? 1 : Float(1 + Double(scale) * log(Double(1 + steps)))
  }
}
