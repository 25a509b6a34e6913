// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import GGUF
import Glibc

/// A writer of GGUF files: first the header, then each tensor's data in the order of the header.
package struct GGUFWriter: Sendable {
  /// A tensor to write.
  package struct Tensor: Sendable {
    /// Its name, at most 63 bytes.
    package let name: String
    /// The type of its elements.
    package let type: WeightType
    /// One to four sizes in elements, fastest-running first.
    package let dimensions: [Int]

    /// Describes a tensor.
    package init(name: String, type: WeightType, dimensions: [Int]) {
      self.name = name
      self.type = type
      self.dimensions = dimensions
    }
  }

  /// The format's version, 2 or 3.
  package var version: UInt32 = 3
  /// The keys. `general.alignment`, if present, decides the padding.
  package var metadata = GGUFMetadata()
  /// The tensors, in the order of their data.
  package var tensors: [Tensor] = []
  /// Overrides `general.alignment` for the padding, as some writers do (they always pad to 32).
  package var paddingOverride: Int?

  /// A writer without keys and tensors.
  package init() {}

  /// The padding unit in bytes: the override, else `general.alignment`, else 32.
  package var alignment: Int {
    paddingOverride ?? metadata.integer("general.alignment") ?? TensorPlacement.defaultAlignment
  }

  /// Returns the header including the padding after it; the data follows.
  ///
  /// - Throws: `GGUFWritingError.unwritable` if a reader would refuse the result.
  package func header() throws(GGUFWritingError) -> [UInt8] {
    try encoded().bytes
  }

  /// Returns the size of the whole file in bytes.
  package func fileByteCount() throws(GGUFWritingError) -> Int {
    let (bytes, infos) = try encoded()
    return bytes.count + (infos.last.map { padded($0.offset + $0.byteCount) } ?? 0)
  }

  /// Writes the file at `path`, replacing an existing one.
  ///
  /// - Parameter data: Returns the data of tensor `index`, exactly as many bytes as its type and dimensions require.
  /// - Throws: `GGUFWritingError`. The file is removed then.
  package func write(to path: String, data: (_ index: Int) -> [UInt8]) throws(GGUFWritingError) {
    let (header, infos) = try encoded()
    let file = try File<GGUFWritingError>(path, for: .updating, links: .followed)
    do throws(GGUFWritingError) {
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

  private func encoded() throws(GGUFWritingError) -> (bytes: [UInt8], infos: [GGUFTensor]) {
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
  private func layOut() throws(GGUFWritingError) -> [GGUFTensor] {
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
  private func checkReadable(_ header: [UInt8], _ infos: [GGUFTensor]) throws(GGUFWritingError) {
    let read: GGUFHeader
    do {
      read = try unsafe GGUFHeader.parse(header.span.bytes, file: "the header", siblingAlignment: alignment)
    } catch {
      throw .unwritable(problem: "\(error)")
    }
    guard read.tensors == infos else { throw .unwritable(problem: "it would be read as other tensors") }
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
