// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import Glibc

/// A writer of GGUF files: first the header, then each tensor's data in the order of the header.
public struct GGUFWriter: Sendable {
  /// A tensor to write.
  public struct Tensor: Sendable {
    /// Its name, at most 63 bytes.
    public let name: String
    /// The type of its elements.
    public let type: WeightType
    /// One to four sizes in elements, fastest-running first.
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
  /// The keys. `general.alignment`, if present, decides the padding.
  public var metadata = GGUFMetadata()
  /// The tensors, in the order of their data.
  public var tensors: [Tensor] = []
  /// Overrides `general.alignment` for the padding, as some writers do (they always pad to 32).
  public var paddingOverride: Int?

  /// A writer without keys and tensors.
  public init() {}

  /// The padding unit in bytes: the override, else `general.alignment`, else 32.
  public var alignment: Int {
    paddingOverride ?? metadata.integer("general.alignment") ?? TensorPlacement.defaultAlignment
  }

  /// Returns the header including the padding after it; the data follows.
  ///
  /// - Throws: `GGUFError.unwritable` if a reader would refuse the result.
  public func header() throws(GGUFError) -> [UInt8] {
    try encoded().bytes
  }

  /// Returns the size of the whole file in bytes.
  public func fileByteCount() throws(GGUFError) -> Int {
    let (bytes, infos) = try encoded()
    return bytes.count + (infos.last.map { padded($0.offset + $0.byteCount) } ?? 0)
  }

  /// Writes the file at `path`, replacing an existing one.
  ///
  /// - Parameter data: Returns the data of tensor `index`, exactly as many bytes as its type and dimensions require.
  /// - Throws: `GGUFError`. The file is removed then.
  public func write(to path: String, data: (_ index: Int) -> [UInt8]) throws(GGUFError) {
    let (header, infos) = try encoded()
    let file = try File<GGUFError>(path, for: .updating, links: .followed)
    do throws(GGUFError) {
      try file.resize(to: 0)
      try file.write(header, at: 0)
      for (index, info) in infos.enumerated() {
        let bytes = data(index)
        guard bytes.count == info.byteCount else {
          throw .unwritable(problem: "\(info.name.quoted) takes \(info.byteCount) bytes and was given \(bytes.count)")
        }
        try file.write(bytes, at: header.count + info.offset)
      }
      // The padding after the last tensor.
      try file.resize(to: fileByteCount())
    } catch {
      _ = unsafe unlink(path)
      throw error
    }
  }

  // MARK: Encoding

  private func encoded() throws(GGUFError) -> (bytes: [UInt8], infos: [GGUFTensor]) {
    guard alignment.isPowerOfTwo, alignment <= UInt32.max else {
      throw .unwritable(problem: "the alignment is \(alignment), which is not a power of two below 2^32")
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
    let infos = try layOut()
    for (tensor, info) in zip(tensors, infos) {
      bytes.append(string: Array(tensor.name.utf8))
      bytes.append(littleEndian: UInt32(tensor.dimensions.count))
      for size in tensor.dimensions { bytes.append(littleEndian: UInt64(size)) }
      bytes.append(littleEndian: tensor.type.rawValue)
      bytes.append(littleEndian: UInt64(info.offset))
    }
    bytes += [UInt8](repeating: 0, count: padded(bytes.count) - bytes.count)
    try checkReadable(bytes, infos)
    return (bytes, infos)
  }

  /// Returns the tensors with the offsets of their data.
  private func layOut() throws(GGUFError) -> [GGUFTensor] {
    var infos: [GGUFTensor] = []
    var end = 0
    for tensor in tensors {
      guard
        let info = GGUFTensor(name: tensor.name, type: tensor.type, dimensions: tensor.dimensions, offset: padded(end)),
        info.byteCount <= GGUFLimits.dataByteCount - info.offset
      else {
        throw .unwritable(problem: "\(tensor.name.quoted) of \(tensor.type.name) cannot have the sizes \(tensor.dimensions)")
      }
      infos.append(info)
      end = info.offset + info.byteCount
    }
    return infos
  }

  /// Checks the header with the reader, so that the writer obeys the same rules.
  private func checkReadable(_ header: [UInt8], _ infos: [GGUFTensor]) throws(GGUFError) {
    do {
      let read = try unsafe GGUFHeader.parse(header.span.bytes, file: "the header", siblingAlignment: alignment)
      guard read.tensors == infos else { throw GGUFError.unwritable(problem: "it would be read as other tensors") }
    } catch {
      throw .unwritable(problem: "\(error)")
    }
  }

  private func padded(_ size: Int) -> Int { size.roundedUp(toMultipleOf: alignment) }
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
