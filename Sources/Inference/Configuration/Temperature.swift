// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc

/// How attention sharpens with the position: a query at position p is multiplied by 1 + scale · ln(1 + ⌊(p + offset) / length⌋).
struct Temperature: Sendable, Equatable {
  var scale: Float
  /// At least 1.
  var length: Int
  var offset = 0

  init(scale: Float, length: Int, offset: Int = 0) { (self.scale, self.length, self.offset) = (scale, length, offset) }

  /// As the file says; nil where it says nothing.
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

  /// What queries at `position` are multiplied by.
  func factor(at position: Int32) -> Float {
    let steps = (Int(position) + offset) / length
    return steps == 0 ? 1 : Float(1 + Double(scale) * log(Double(1 + steps)))
  }
}
