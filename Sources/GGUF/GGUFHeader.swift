// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The header of a GGUF file: its keys and the descriptions of its tensors.
///
/// ggml's `docs/gguf.md` describes the format. Versions 2 and 3 are read.
public struct GGUFHeader: Sendable, Hashable {
  /// The format's version, 2 or 3.
  public let version: Int
  /// The multiple in bytes that tensor offsets are padded to; a power of two. It is taken from the offsets, because `general.alignment` can
  /// be wrong.
  public let alignment: Int
  /// The keys.
  public let metadata: GGUFMetadata
  /// The tensors, in the order of their data.
  public let tensors: [GGUFTensor]
  /// The bytes up to the end of the last tensor's description, without padding.
  public let byteCount: Int
  /// The start of the data section in bytes from the file's start. A file without tensors may end before it.
  public let dataOffset: Int
  /// The bytes of the data section up to the end of the last tensor, without the padding after it.
  public let dataByteCount: Int

  /// Parses the header at the front of `bytes`.
  ///
  /// - Parameters:
  ///   - bytes: The beginning of the file; it may extend beyond the header.
  ///   - file: The name of the file in errors.
  ///   - fileByteCount: The size of the whole file, which bounds every count; by default the size of `bytes`.
  ///   - siblingAlignment: `general.alignment` of the first part, for the later parts of a split model, which may lack that key.
  /// - Throws: `GGUFError.malformed` with the byte offset of what is wrong, or `GGUFError.truncated`.
  /// - Complexity: O(header bytes).
  public static func parse(
    _ bytes: RawSpan, file: String, fileByteCount: Int? = nil, siblingAlignment: Int? = nil
  ) throws(GGUFError) -> GGUFHeader {
    do throws(HeaderStop) {
      var reader = HeaderReader(
        bytes, file: file, fileByteCount: fileByteCount ?? bytes.byteCount, siblingAlignment: siblingAlignment)
      return try reader.header()
    } catch {
      switch error {
      case .refused(let error): throw error
      case .needsBytes(let count, let what, let offset):
        throw .truncated(file: file, offset: offset, what: what, needed: count - offset, left: bytes.byteCount - offset)
      }
    }
  }

  /// The alignment that the key `general.alignment` declares, or nil if the key is absent.
  public var declaredAlignment: Int? { metadata.integer("general.alignment") }
}
