/// One file of a model.
public struct GGUFPart: Sendable, Hashable {
  /// Where it lies.
  public let path: String
  /// The file's size in bytes.
  public let byteCount: Int
  /// Its header.
  public let header: GGUFHeader
}

/// A model in one GGUF file or in several (`NAME-00001-of-00003.gguf`, as gguf-split writes them).
public struct GGUFModel: Sendable, Hashable {
  /// A tensor and the part that holds its data.
  public struct Tensor: Sendable, Hashable {
    /// The tensor as its part's header describes it.
    public let info: GGUFTensor
    /// Index into `parts`.
    public let part: Int
  }

  /// The files, in order; one if the model is not split.
  public let parts: [GGUFPart]
  /// All tensors: those of the first part, then those of the second, and so on.
  public let tensors: [Tensor]

  /// The model's keys, which are those of the first part.
  public var metadata: GGUFMetadata { parts[0].header.metadata }

  /// Opens the model to which the file at `path` belongs; any part of a split model will do.
  ///
  /// Only headers are read. The sizes they promise are checked against the files' sizes.
  /// - Throws: `GGUFError`: the file cannot be read, is no GGUF, is cut short, or its other parts are missing or foreign.
  public static func open(_ path: String) throws(GGUFError) -> GGUFModel {
    let first = try GGUFPart.open(path)
    guard let count = first.header.metadata.integer(SplitKey.count), count > 1 else { return GGUFModel(parts: [first]) }
    let name = try SplitName(of: first, count: count)
    var parts: [GGUFPart] = []
    for number in 0..<count {
      let part = number == name.number ? first : try GGUFPart.open(name.path(number))
      try name.check(part, number: number)
      parts.append(part)
    }
    let model = GGUFModel(parts: parts)
    try name.check(model)
    return model
  }

  private init(parts: [GGUFPart]) {
    self.parts = parts
    tensors = parts.indices.flatMap { part in parts[part].header.tensors.map { Tensor(info: $0, part: part) } }
  }
}

extension GGUFPart {
  /// Bytes read at first; most headers fit, and a longer one is read again with more.
  private static let firstRead = 1 << 20
  /// The longest header that is read: ten times that of the largest vocabularies.
  private static let headerLimit = 1 << 28

  /// Reads the header of the file at `path` and checks that its data is all there.
  static func open(_ path: String) throws(GGUFError) -> GGUFPart {
    let file = try InputFile(path)
    var length = firstRead
    while true {
      let bytes = try file.prefix(length)
      do throws(GGUFError) {
        let header = try unsafe GGUFHeader.parse(bytes.span.bytes, file: path, fileByteCount: file.byteCount)
        try check(header, of: file)
        return GGUFPart(path: path, byteCount: file.byteCount, header: header)
      } catch .truncated(_, let offset, let what, let needed, _) where bytes.count < file.byteCount {
        // Only what was read ends here, not the file.
        guard offset <= headerLimit && needed <= headerLimit - offset else {
          throw .malformed(file: path, offset: offset, problem: "\(what) makes the header longer than \(headerLimit >> 20) MiB")
        }
        length = max(min(length * 8, headerLimit), offset + needed)
      }
    }
  }

  private static func check(_ header: GGUFHeader, of file: borrowing InputFile) throws(GGUFError) {
    guard !header.tensors.isEmpty else { return }
    let left = max(0, file.byteCount - header.dataOffset)
    guard header.dataByteCount <= left else {
      throw .truncated(
        file: file.path, offset: header.dataOffset, what: "the tensors' data", needed: header.dataByteCount, left: left)
    }
  }
}
