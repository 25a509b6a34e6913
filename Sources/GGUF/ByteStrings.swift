// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The strings of a metadata array as bytes, in the file's order, without copies.
///
/// They can only be read in sequence: an index of where each begins would take more memory than many vocabularies do.
public struct ByteStrings: Sequence, Sendable {
  /// The number of strings.
  public let count: Int
  /// The strings as in the file, each preceded by its length as 64 bits.
  ///
  /// - Invariant: holds exactly `count` strings.
  private let bytes: [UInt8]

  init(_ array: MetadataArray) {
    count = array.count
    bytes = array.bytes
  }

  /// The total length of all strings in bytes.
  public var byteCount: Int { bytes.count - count * 8 }

  /// The exact number of strings, `count`.
  public var underestimatedCount: Int { count }

  /// Returns an iterator at the first string.
  public func makeIterator() -> Iterator { Iterator(bytes) }

  /// An iterator over the strings.
  public struct Iterator: IteratorProtocol {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Returns the bytes of the next string, or nil after the last one.
    public mutating func next() -> ArraySlice<UInt8>? {
      guard position < bytes.count else { return nil }
      let length = unsafe bytes.span.bytes.unsafeLoadUnaligned(fromByteOffset: position, as: UInt64.self)
      let start = position + 8
      position = start + Int(UInt64(littleEndian: length))
      return bytes[start..<position]
    }
  }
}
