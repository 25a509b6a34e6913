// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The keys of a GGUF and their values, in the file's order.
public struct GGUFMetadata: Sendable, Hashable {
  /// One key with its value.
  public struct Entry: Sendable, Hashable {
    /// The key, such as `general.architecture`.
    public let key: String
    /// Its value.
    public let value: MetadataValue

    /// An entry of a key and its value.
    public init(key: String, value: MetadataValue) {
      self.key = key
      self.value = value
    }
  }

  /// All entries, in the file's order.
  public private(set) var entries: [Entry] = []
  private var indices: [String: Int] = [:]

  /// Metadata without keys.
  public init() {}

  /// The value of `key`. Setting a value replaces or appends it; setting nil does nothing.
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

  /// Returns the string at `key`; nil if absent, of another type, or not UTF-8.
  public func string(_ key: String) -> String? { self[key]?.text }

  /// Returns the integer at `key`, whatever its width; nil if absent or of another type.
  public func integer(_ key: String) -> Int? { self[key]?.integer }

  /// Returns the float at `key`; nil if absent or of another type.
  public func float(_ key: String) -> Float? { self[key]?.float }

  /// Returns the boolean at `key`; nil if absent or of another type.
  public func bool(_ key: String) -> Bool? {
    guard case .bool(let value)? = self[key] else { return nil }
    return value
  }

  /// Returns the array at `key`; nil if absent or of another type.
  public func array(_ key: String) -> MetadataArray? {
    guard case .array(let value)? = self[key] else { return nil }
    return value
  }

  /// Returns the strings at `key`; nil if absent, of another type, or if one is not UTF-8.
  public func strings(_ key: String) -> [String]? { array(key)?.strings }

  /// Returns the bytes of the strings at `key`; nil if absent or of another type.
  public func byteStrings(_ key: String) -> ByteStrings? { array(key)?.byteStrings }

  /// Returns the floats at `key`; nil if absent or of another type.
  public func floats(_ key: String) -> [Float]? { array(key)?.floats }

  /// Returns the integers at `key`; nil if absent or of another type.
  public func integers(_ key: String) -> [Int]? { array(key)?.integers }

  /// Returns the booleans at `key`; nil if absent or of another type.
  public func bools(_ key: String) -> [Bool]? { array(key)?.bools }
}
