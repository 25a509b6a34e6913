import SystemPackage

/// Writes a GGUF file: header first, then each tensor's data in the order of the header.
public struct GGUFWriter: Sendable {
  /// A tensor to be written.
  public struct Tensor: Sendable {
    /// Its name, at most 63 bytes.
    public let name: String
    /// The type of its elements.
    public let type: WeightType
    /// One to four sizes in elements, the fastest-running first.
    public let dimensions: [Int]

    /// Describes a tensor.
    public init(name: String, type: WeightType, dimensions: [Int]) {
      self.name = name
      self.type = type
      self.dimensions = dimensions
    }
  }

  /// The format's version, 2 or 3.
  public var version: UInt32 = 3
  /// The keys; `general.alignment` among them decides the padding.
  public var metadata = GGUFMetadata()
  /// The tensors, in the order of their data.
  public var tensors: [Tensor] = []

  /// A file without keys and tensors.
  public init() {}

  private var alignment: Int { metadata.integer("general.alignment") ?? 32 }

  /// The header with the padding behind it.
  ///
  /// - Throws: `GGUFError.unwritable` if a reader would refuse the result.
  public func header() throws(GGUFError) -> [UInt8] {
    guard alignment > 0, alignment & (alignment - 1) == 0 else {
      throw .unwritable(problem: "general.alignment is \(alignment), which is no power of two")
    }
    var bytes: [UInt8] = Array("GGUF".utf8)
    bytes.append(littleEndian: version)
    bytes.append(littleEndian: UInt64(tensors.count))
    bytes.append(littleEndian: UInt64(metadata.entries.count))
    for entry in metadata.entries {
      bytes.append(string: Array(entry.key.utf8))
      bytes.append(littleEndian: entry.value.type.rawValue)
      bytes.append(value: entry.value)
    }
    var offset = 0
    for tensor in tensors {
      guard let info = GGUFTensor(name: tensor.name, type: tensor.type, dimensions: tensor.dimensions, offset: offset),
        tensor.name.utf8.count <= GGUFLimits.nameByteCount
      else { throw .unwritable(problem: "\(tensor.name) of \(tensor.type.name) with the sizes \(tensor.dimensions)") }
      bytes.append(string: Array(tensor.name.utf8))
      bytes.append(littleEndian: UInt32(tensor.dimensions.count))
      for size in tensor.dimensions { bytes.append(littleEndian: UInt64(size)) }
      bytes.append(littleEndian: tensor.type.rawValue)
      bytes.append(littleEndian: UInt64(offset))
      offset = padded(offset + info.byteCount)
    }
    bytes += [UInt8](repeating: 0, count: padded(bytes.count) - bytes.count)
    return bytes
  }

  /// Writes the file at `path`, replacing what is there.
  ///
  /// - Parameter data: The data of tensor `index`, as many bytes as its type and sizes say.
  /// - Throws: `GGUFError`; what has been written so far stays.
  public func write(to path: String, data: (_ index: Int) -> [UInt8]) throws(GGUFError) {
    let header = try header()
    do {
      let file = try FileDescriptor.open(
        FilePath(path), .writeOnly, options: [.create, .truncate, .closeOnExec],
        permissions: [.ownerReadWrite, .groupRead, .otherRead])
      try file.closeAfter {
        try file.writeAll(header)
        for index in tensors.indices {
          var bytes = data(index)
          let tensor = tensors[index]
          let info = GGUFTensor(name: tensor.name, type: tensor.type, dimensions: tensor.dimensions, offset: 0)
          guard bytes.count == info?.byteCount else {
            throw GGUFError.unwritable(problem: "\(tensor.name) takes \(info?.byteCount ?? 0) bytes and was given \(bytes.count)")
          }
          bytes += [UInt8](repeating: 0, count: padded(bytes.count) - bytes.count)
          try file.writeAll(bytes)
        }
      }
    } catch let error as GGUFError {
      throw error
    } catch {
      throw .system(file: path, operation: "write it", reason: (error as? Errno)?.description ?? "\(error)")
    }
  }

  private func padded(_ size: Int) -> Int { (size + alignment - 1) / alignment * alignment }
}

extension [UInt8] {
  fileprivate mutating func append(string: [UInt8]) {
    append(littleEndian: UInt64(string.count))
    self += string
  }

  fileprivate mutating func append(value: MetadataValue) {
    switch value {
    case .uint8(let value): append(value)
    case .int8(let value): append(littleEndian: value)
    case .uint16(let value): append(littleEndian: value)
    case .int16(let value): append(littleEndian: value)
    case .uint32(let value): append(littleEndian: value)
    case .int32(let value): append(littleEndian: value)
    case .uint64(let value): append(littleEndian: value)
    case .int64(let value): append(littleEndian: value)
    case .float32(let value): append(littleEndian: value.bitPattern)
    case .float64(let value): append(littleEndian: value.bitPattern)
    case .bool(let value): append(value ? 1 : 0)
    case .string(let bytes): append(string: bytes)
    case .array(let array):
      append(littleEndian: array.elementType.rawValue)
      append(littleEndian: UInt64(array.count))
      self += array.bytes
    }
  }
}
