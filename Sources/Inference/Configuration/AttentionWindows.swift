// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF

/// Which layers see only a window, and how long their windows are.
struct AttentionWindows: Equatable {
  /// Whether some layers may have a window.
  private(set) var exist = false
  /// The number of positions that a token sees in each layer, its own included; 0: all before it.
  private(set) var lengths: [Int]

  init(_ reader: MetadataReader, _ architecture: Architecture) throws(ModelError) {
    lengths = Array(repeating: 0, count: reader.layerCount)
    guard architecture.windows != .none, architecture.layerCountWithWindows ?? reader.layerCount == reader.layerCount else {
      return
    }
    let named = try reader.size("attention.sliding_window")
    // Llama 4's chunks have a fixed length; the key only says whether there are any (0: none).
    let length = architecture.windowsAreChunks && named != 0 ? architecture.defaultWindow : named ?? architecture.defaultWindow
    guard length > 0 else { return }
    exist = true
    for (layer, hasWindow) in try Self.pattern(reader, architecture).enumerated() where hasWindow { lengths[layer] = length }
  }

  /// Returns the layer whose keys and values `layer` reads instead of its own; nil: it has its own.
  ///
  /// If the file says that the last n layers share caches, each uses those of the last earlier layer of its kind (with or without a
  /// window).
  func sharedLayer(for layer: Int, _ reader: MetadataReader, _ architecture: Architecture) throws(ModelError) -> Int? {
    let key = Architecture.OptionalKey.sharedCaches
    guard architecture.keys.contains(key), let count = try reader.size(key.rawValue), count > 0 else { return nil }
    let first = lengths.count - count
    guard first > 0 else {
      throw .badValue(key: reader.key(key.rawValue), value: "\(count)", expected: "less than block_count, \(lengths.count)")
    }
    guard layer >= first else { return nil }
    guard let source = (0..<first).last(where: { (lengths[$0] > 0) == (lengths[layer] > 0) }) else {
      throw .badValue(key: reader.key(key.rawValue), value: "\(count)", expected: "a layer before them that is like layer \(layer)")
    }
    return source
  }

  /// Returns which layers have a window, from an array in the file, a period in the file, or the architecture's default period.
  private static func pattern(_ reader: MetadataReader, _ architecture: Architecture) throws(ModelError) -> [Bool] {
    let name = "attention.sliding_window_pattern"
    if let flags = try reader.flags(name) { return flags }
    guard case .period(let habit) = architecture.windows else { throw .missingKey(key: reader.key(name)) }
    let period = reader.metadata.integer(reader.key(name)) ?? habit
    return (0..<reader.layerCount).map { period == 0 || $0 % period != period - 1 }
  }
}
