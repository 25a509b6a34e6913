/// The head of a GGUF file: its keys and the descriptions of its tensors.
///
/// The format is described in ggml's `docs/gguf.md`; versions 2 and 3 are read.
public struct GGUFHeader: Sendable, Hashable {
  /// The format's version, 2 or 3.
  public let version: Int
  /// What tensor offsets are multiples of, in bytes; a power of two.
  public let alignment: Int
  /// The keys.
  public let metadata: GGUFMetadata
  /// The tensors, in the order of their data.
  public let tensors: [GGUFTensor]
  /// Bytes up to the end of the last tensor's description, without padding.
  public let byteCount: Int
  /// Where the data section begins, in bytes from the file's start.
  public let dataOffset: Int
  /// Bytes of the data section up to the end of the last tensor, without the padding behind it.
  public let dataByteCount: Int

  /// Reads the header at the front of `bytes`.
  ///
  /// - Parameters:
  ///   - bytes: The file's beginning; more than the header may follow.
  ///   - file: What errors call the file.
  ///   - fileByteCount: The whole file's size, which bounds every count; the size of `bytes` if nil.
  /// - Throws: `GGUFError.malformed` with the byte offset of what is wrong.
  /// - Complexity: O(header bytes).
  public static func parse(_ bytes: RawSpan, file: String, fileByteCount: Int? = nil) throws(GGUFError) -> GGUFHeader {
    var reader = HeaderReader(bytes, file: file, fileByteCount: fileByteCount ?? bytes.byteCount)
    return try reader.header()
  }
}
