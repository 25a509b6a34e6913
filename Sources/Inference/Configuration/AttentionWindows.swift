// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF

/// Which layers see a window only, and how far it reaches.
struct AttentionWindows: Equatable {
  /// Whether some layers may have one.
  private(set) var exist = false
  /// Positions that each layer's tokens see, themselves included; 0: all before them.
  private(set) var lengths: [Int]

  init(_ reader: MetadataReader, _ architecture: Architecture) throws(ModelError) {
    lengths = Array(repeating: 0, count: reader.layerCount)
    guard architecture.windows != .none, architecture.layerCountWithWindows ?? reader.layerCount == reader.layerCount else {
      return
    }
    let named = try reader.size("attention.sliding_window")
    // The chunks of Llama 4 are as long as they are; 0 means none.
    let length = architecture.windowsAreChunks && named != 0 ? architecture.defaultWindow : named ?? architecture.defaultWindow
    guard length > 0 else { return }
    exist = true
    for (layer, hasWindow) in try Self.pattern(reader, architecture).enumerated() where hasWindow { lengths[layer] = length }
  }

  /// Which layers have a window: said by an array, by a period, or by the architecture's habit.
  private static func pattern(_ reader: MetadataReader, _ architecture: Architecture) throws(ModelError) -> [Bool] {
    let name = "attention.sliding_window_pattern"
    if let flags = try reader.flags(name) { return flags }
    guard case .period(let habit) = architecture.windows else { throw .missingKey(key: reader.key(name)) }
    let period = reader.metadata.integer(reader.key(name)) ?? habit
    return (0..<reader.layerCount).map { period == 0 || $0 % period != period - 1 }
  }
}
