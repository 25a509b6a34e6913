// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF

/// Reads the keys of one architecture, `ARCH.name`, and checks sizes against their limits.
final class MetadataReader {
  let metadata: GGUFMetadata
  let prefix: String
  /// The number of layers that are computed; arrays in the metadata must have a value for each.
  var layerCount = 0
  /// The keys that have been asked for, whether or not the file has them.
  private(set) var readNames: Set<String> = []
  private var sizes: [String: [Int]] = [:]

  /// The largest size that is accepted, in elements: larger than any in a model, and small enough that a product of two cannot
  /// overflow.
  static let largestSize = 1 << 30

  init(_ metadata: GGUFMetadata, prefix: String) {
    self.metadata = metadata
    self.prefix = prefix
  }

  func key(_ name: String) -> String { "\(prefix).\(name)" }

  func has(_ name: String) -> Bool {
    readNames.insert(name)
    return metadata[key(name)] != nil
  }

  /// Returns a size between 0 and `largestSize`, or nil if the key is absent.
  func size(_ name: String) throws(ModelError) -> Int? {
    guard has(name) else { return nil }
    guard let value = metadata.integer(key(name)) else { throw notA("size", name) }
    guard (0...Self.largestSize).contains(value) else {
      throw .badValue(key: key(name), value: "\(value)", expected: "0 to \(Self.largestSize)")
    }
    return value
  }

  /// Returns a size of at least 1; throws if the key is absent.
  func requiredSize(_ name: String) throws(ModelError) -> Int {
    guard let value = try size(name) else { throw .missingKey(key: key(name)) }
    guard value > 0 else { throw .badValue(key: key(name), value: "0", expected: "at least 1") }
    return value
  }

  /// Returns a layer's size, or nil if the key is absent. The key holds one size for all layers, or an array with one for each.
  func size(_ name: String, layer: Int) throws(ModelError) -> Int? {
    if let known = sizes[name] { return known[layer] }
    guard has(name) else { return nil }
    if metadata.integer(key(name)) != nil { return try size(name) }
    guard let values = metadata.integers(key(name)) else { throw notA("size or an array of sizes", name) }
    try checkCount(values.count, name)
    for value in values.prefix(layerCount) where !(0...Self.largestSize).contains(value) {
      throw .badValue(key: key(name), value: "\(value)", expected: "0 to \(Self.largestSize)")
    }
    sizes[name] = Array(values.prefix(layerCount))
    return values[layer]
  }

  /// Checks that `count` heads of at most `longest` elements stay far from overflow, so that buffers need no further checks.
  func checkHeads(_ count: Int, longest: Int, layer: Int) throws(ModelError) {
    guard count <= Self.largestSize / longest else {
      throw .badValue(
        key: key("attention.head_count"), value: "\(count) (layer \(layer))",
        expected: "at most \(Self.largestSize / longest) heads of \(longest)")
    }
  }

  /// Returns an array of truth values (or of integers, where 0 is false), one for each layer; nil if the key is absent or holds
  /// something else.
  func flags(_ name: String) throws(ModelError) -> [Bool]? {
    guard let values = metadata.bools(key(name)) ?? metadata.integers(key(name))?.map({ $0 != 0 }) else { return nil }
    _ = has(name)
    try checkCount(values.count, name)
    return Array(values.prefix(layerCount))
  }

  private func checkCount(_ count: Int, _ name: String) throws(ModelError) {
    guard count >= layerCount else {
      throw .badValue(key: key(name), value: "an array of \(count)", expected: "one for each of \(layerCount) layers")
    }
  }

  /// Returns a finite number of at least `least`, or nil if the key is absent.
  func number(_ name: String, from least: Float = -.greatestFiniteMagnitude) throws(ModelError) -> Float? {
    guard has(name) else { return nil }
    guard let value = metadata.float(key(name)) else { throw notA("number", name) }
    guard value.isFinite else { throw .badValue(key: key(name), value: "\(value)", expected: "a finite number") }
    guard value >= least else { throw .badValue(key: key(name), value: "\(value)", expected: "at least \(least)") }
    return value
  }

  /// Returns a layer's number, at least `least`, or nil if the key is absent. The key holds one for all layers, or an array with
  /// one for each.
  func number(_ name: String, layer: Int, from least: Float) throws(ModelError) -> Float? {
    guard has(name), metadata.float(key(name)) == nil else { return try number(name, from: least) }
    guard let values = metadata.floats(key(name)) else { throw notA("number or an array of numbers", name) }
    try checkCount(values.count, name)
    guard values[layer].isFinite, values[layer] >= least else {
      throw .badValue(key: key(name), value: "\(values[layer])", expected: "at least \(least)")
    }
    return values[layer]
  }

  /// Returns a scale, or nil if the architecture does not honour the key or the file lacks it. 0 in the file means 1.
  func scale(_ key: Architecture.OptionalKey, _ architecture: Architecture) throws(ModelError) -> Float? {
    guard architecture.keys.contains(key), let value = try number(key.rawValue) else { return nil }
    return value == 0 ? 1 : value
  }

  func flag(_ name: String) throws(ModelError) -> Bool? {
    guard has(name) else { return nil }
    guard let value = metadata.bool(key(name)) else { throw notA("truth value", name) }
    return value
  }

  func text(_ name: String) throws(ModelError) -> String? {
    guard has(name) else { return nil }
    guard let value = metadata.string(key(name)) else { throw notA("string", name) }
    return value
  }

  private func notA(_ expected: String, _ name: String) -> ModelError {
    .badValue(key: key(name), value: "of another kind", expected: "a \(expected)")
  }
}
