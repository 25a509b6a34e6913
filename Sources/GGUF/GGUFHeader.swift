// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The head of a GGUF file: its keys and the descriptions of its tensors.
///
/// The format is described in ggml's `docs/gguf.md`; versions 2 and 3 are read.
public struct GGUFHeader: Sendable, Hashable {
  /// The format's version, 2 or 3.
  public let version: Int
  /// What tensor offsets are multiples of, in bytes; a power of two. As the data shows it, not as `general.alignment` says.
  public let alignment: Int
  /// The keys.
  public let metadata: GGUFMetadata
  /// The tensors, in the order of their data.
  public let tensors: [GGUFTensor]
  /// Bytes up to the end of the last tensor's description, without padding.
  public let byteCount: Int
  /// Where the data section begins, in bytes from the file's start. A file without tensors may end before.
  public let dataOffset: Int
  /// Bytes of the data section up to the end of the last tensor, without the padding after it.
  public let dataByteCount: Int

  /// Reads the header at the front of `bytes`.
  ///
  /// - Parameters:
  ///   - bytes: The file's beginning; more than the header may follow.
  ///   - file: What errors call the file.
  ///   - fileByteCount: The whole file's size, which bounds every count; the size of `bytes` if nil.
  ///   - siblingAlignment: `general.alignment` of the first part, for the later parts of a split model, which may not have that key.
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

  /// The alignment that the key `general.alignment` asks for, or nil without it.
  public var declaredAlignment: Int? { metadata.integer("general.alignment") }
}
