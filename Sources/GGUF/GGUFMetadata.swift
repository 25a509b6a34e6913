// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The keys of a GGUF and their values, in the file's order.
public struct GGUFMetadata: Sendable, Hashable {
  /// One key with its value.
  public struct Entry: Sendable, Hashable {
    /// The key, such as `general.architecture`.
    public let key: String
    /// Its value.
    public let value: MetadataValue

    /// Pairs a key with its value.
    public init(key: String, value: MetadataValue) {
      self.key = key
      self.value = value
    }
  }

  /// All entries, in the file's order.
  public private(set) var entries: [Entry] = []
  private var indices: [String: Int] = [:]

  /// No keys.
  public init() {}

  /// The value of `key`; setting one replaces it or appends it, setting nil is ignored.
  public subscript(_ key: String) -> MetadataValue? {
    get { indices[key].map { entries[$0].value } }
    set {
      guard let newValue else { return }
      if let index = indices[key] {
        entries[index] = Entry(key: key, value: newValue)
      } else {
        indices[key] = entries.count
        entries.append(Entry(key: key, value: newValue))
      }
    }
  }

  /// The string at `key`; nil if absent, of another type, or not UTF-8.
  public func string(_ key: String) -> String? { self[key]?.text }

  /// The integer at `key`, whatever its width; nil if absent or of another type.
  public func integer(_ key: String) -> Int? { self[key]?.integer }

  /// The float at `key`; nil if absent or of another type.
  public func float(_ key: String) -> Float? { self[key]?.float }

  /// The boolean at `key`; nil if absent or of another type.
  public func bool(_ key: String) -> Bool? {
    guard case .bool(let value)? = self[key] else { return nil }
    return value
  }

  /// The array at `key`; nil if absent or of another type.
  public func array(_ key: String) -> MetadataArray? {
    guard case .array(let value)? = self[key] else { return nil }
    return value
  }

  /// The strings at `key`; nil if absent, of another type, or one is not UTF-8.
  public func strings(_ key: String) -> [String]? { array(key)?.strings }

  /// The bytes of the strings at `key`; nil if absent or of another type.
  public func byteStrings(_ key: String) -> ByteStrings? { array(key)?.byteStrings }

  /// The floats at `key`; nil if absent or of another type.
  public func floats(_ key: String) -> [Float]? { array(key)?.floats }

  /// The integers at `key`; nil if absent or of another type.
  public func integers(_ key: String) -> [Int]? { array(key)?.integers }

  /// The booleans at `key`; nil if absent or of another type.
  public func bools(_ key: String) -> [Bool]? { array(key)?.bools }
}
