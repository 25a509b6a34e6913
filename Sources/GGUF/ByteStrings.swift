// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The strings of an array of a GGUF's metadata as bytes, in the file's order, without copies.
///
/// They are read one after another: keeping where each begins would take more memory than many vocabularies do.
public struct ByteStrings: Sequence, Sendable {
  /// Strings.
  public let count: Int
  /// The strings as in the file, each after its length of 64 bits.
  ///
  /// - Invariant: holds exactly `count` strings.
  private let bytes: [UInt8]

  init(_ array: MetadataArray) {
    count = array.count
    bytes = array.bytes
  }

  /// Bytes of all strings together.
  public var byteCount: Int { bytes.count - count * 8 }

  /// As many as there are: `count`.
  public var underestimatedCount: Int { count }

  /// Begins with the first string.
  public func makeIterator() -> Iterator { Iterator(bytes) }

  /// Walks the strings.
  public struct Iterator: IteratorProtocol {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The next string's bytes, or nil after the last one.
    public mutating func next() -> ArraySlice<UInt8>? {
      guard position < bytes.count else { return nil }
      let length = unsafe bytes.span.bytes.unsafeLoadUnaligned(fromByteOffset: position, as: UInt64.self)
      let start = position + 8
      position = start + Int(UInt64(littleEndian: length))
      return bytes[start..<position]
    }
  }
}
